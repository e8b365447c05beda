"""What both sides together have, where a table has left and right only."""

import numpy as np


def both_sides(values):
    """Add sums, and means weighted by the volume, for ``side`` "both", in place.

    Median, trimmed mean and standard deviation of both do not follow from those of the sides.
    What the table has itself stays.

    Parameters
    ----------
    values : {(structure, side, measure): (n,) float with NaN}
    """
    for structure, _, measure in [key for key in values if key[1] == "left"]:
        pair = [values.get((structure, s, measure)) for s in ("left", "right")]
        if pair[1] is None or measure in ("sd_ppb", "median_ppb", "trimmed_mean_ppb"):
            continue
        size = "high_iron_ml" if measure == "high_iron_mean_ppb" else "volume_ml"
        volumes = [values.get((structure, s, size)) for s in ("left", "right")]
        if measure.endswith("_ml") or measure == "iron_mg":
            both = pair[0] + pair[1]
        elif volumes[0] is None or volumes[1] is None:
            both = (pair[0] + pair[1]) / 2
        else:
            both = sum(np.where(v == 0, 0, m * v) for m, v in zip(pair, volumes, strict=True))
            total = volumes[0] + volumes[1]
            both = both / np.where(total > 0, total, np.nan)
        key = structure, "both", measure
        given = values.get(key)
        values[key] = both if given is None else np.where(np.isfinite(given), given, both)
