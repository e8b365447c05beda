"""Command line: ``python -m QSMReconLib.phantom OUT --b0 3 --voxel 1``."""

import argparse
import sys
from pathlib import Path

from ..errors import QSMError
from ..progress import Progress
from . import head, write_bids


def parser():
    """The options of the command line."""
    p = argparse.ArgumentParser(
        prog="python -m QSMReconLib.phantom",
        description="Numerical head with known truth, as a BIDS data set.",
    )
    p.add_argument("out", type=Path, help="folder to write; must not exist")
    p.add_argument("--b0", type=float, default=3.0, metavar="T", help="field strength in T")
    p.add_argument(
        "--voxel", type=float, nargs="+", default=[1.0], metavar="MM", help="size in mm, 1 or k j i"
    )
    p.add_argument("--echo-times", type=float, nargs="+", metavar="S", help="in seconds")
    p.add_argument("--snr", type=float, help="of the brightest voxel of echo 1; inf: no noise")
    p.add_argument("--seed", type=int, default=0, help="other numbers are other heads")
    p.add_argument(
        "--b0-direction",
        type=float,
        nargs=3,
        default=[1.0, 0.0, 0.0],
        metavar=("K", "J", "I"),
        help="of B0 in the image axes; tilts the affine",
    )
    p.add_argument("--coils", type=int, default=0, help="channels to write beside the images")
    p.add_argument("--bipolar", action="store_true", help="alternating readout")
    return p


def main(argv=None):
    """Run the command line; returns the exit status."""
    args = parser().parse_args(argv)
    progress = Progress(lambda f, text: print(f"\r{100 * f:3.0f} % {text:28}", end="", flush=True))
    if len(args.voxel) not in (1, 3):
        parser().error("--voxel takes one number or three")
    try:
        phantom = head(
            args.b0,
            args.voxel[0] if len(args.voxel) == 1 else args.voxel,
            args.echo_times,
            args.snr,
            args.seed,
            args.b0_direction,
            args.coils,
            args.bipolar,
            progress=progress.part(0, 0.7),
        )
        write_bids(phantom, args.out, progress.part(0.7, 1))
    except QSMError as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    print(f"\r{args.out}: {len(phantom.phase)} echoes of {phantom.phase.shape[1:]} voxels")
    return 0


if __name__ == "__main__":
    sys.exit(main())
