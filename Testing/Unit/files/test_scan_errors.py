"""Mistakes in the files of a scan: a clear sentence each, all of them at once."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from QSMReconLib.errors import InputError, ParameterError
from QSMReconLib.files.bids import find_scans
from QSMReconLib.files.corrections import Corrections
from QSMReconLib.files.scan import read_scan
from QSMReconLib.phantom import head
from scanfiles import FACTS, TE_S, affine, bids, edit, save, scan

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data"


def image(folder, part="phase", echo=1):
    return folder / f"sub-01_echo-{echo}_part-{part}_MEGRE.nii.gz"


def sidecar(folder, part="phase", echo=1):
    return folder / f"sub-01_echo-{echo}_part-{part}_MEGRE.json"


def every_sidecar(folder, **changes):
    for path in folder.glob("*.json"):
        edit(path, **changes)


def exchange(folder):
    for n in range(1, 5):
        a, b = image(folder, "phase", n), image(folder, "mag", n)
        content = a.read_bytes()
        a.write_bytes(b.read_bytes())
        b.write_bytes(content)


def copy_over(folder, source, target):
    for n in range(1, 5):
        image(folder, target, n).write_bytes(image(folder, source, n).read_bytes())


def in_degrees(folder):
    for n in range(4):
        save(image(folder, "phase", n + 1), np.rad2deg(scan()[0][n]))


def milliseconds(folder):
    for part in ("phase", "mag"):
        for n, te in enumerate(TE_S, 1):
            edit(sidecar(folder, part, n), EchoTime=1000 * te)


def backwards(folder):
    for part in ("phase", "mag"):
        for n, te in enumerate(TE_S[::-1], 1):
            edit(sidecar(folder, part, n), EchoTime=te)


def shifted():
    matrix = affine()
    matrix[2, 3] += 1
    return matrix


MISTAKES = {
    "echo times in ms": (milliseconds, "EchoTime 4 must be in seconds; it looks like millisec"),
    "MHz for T": (lambda f: every_sidecar(f, MagneticFieldStrength=127.7), "looks like MHz"),
    "gauss for T": (lambda f: every_sidecar(f, MagneticFieldStrength=30000), "looks like gauss"),
    "Hz for MHz": (lambda f: every_sidecar(f, ImagingFrequency=127.7e6), "must be in MHz"),
    "another scanner's frequency": (
        lambda f: every_sidecar(f, ImagingFrequency=300),
        "does not belong to 3 T",
    ),
    "no field strength": (
        lambda f: every_sidecar(f, MagneticFieldStrength=None, ImagingFrequency=None),
        "no field strength; add MagneticFieldStrength",
    ),
    "no echo time": (
        lambda f: [edit(sidecar(f, p, 2), EchoTime=None) for p in ("phase", "mag")],
        "no echo time for sub-01_echo-2_part-mag_MEGRE.nii.gz",
    ),
    "the same echo time twice": (
        lambda f: [edit(sidecar(f, p, 2), EchoTime=TE_S[2]) for p in ("phase", "mag")],
        "two echoes have the same echo time",
    ),
    "no sidecars": (lambda f: [p.unlink() for p in f.glob("*.json")], "no echo time for"),
    "phase of an echo missing": (
        lambda f: image(f, "phase", 3).unlink(),
        r"phase: echo 3 is missing \(have 1, 2, 4\)",
    ),
    "magnitude of the last echo missing": (
        lambda f: image(f, "mag", 4).unlink(),
        "magnitude: echo 4 is missing",
    ),
    "an echo missing altogether": (
        lambda f: [image(f, p, 2).unlink() for p in ("phase", "mag")],
        "echo 2 is missing",
    ),
    "no phase": (
        lambda f: [image(f, "phase", n).unlink() for n in range(1, 5)],
        "no phase was found",
    ),
    "no magnitude": (
        lambda f: [image(f, "mag", n).unlink() for n in range(1, 5)],
        "no magnitude was found",
    ),
    "exchanged": (exchange, "phase and magnitude are exchanged"),
    "magnitude as phase": (lambda f: copy_over(f, "mag", "phase"), "is this a magnitude image"),
    "phase as magnitude": (lambda f: copy_over(f, "phase", "mag"), "is this a phase image"),
    "degrees": (in_degrees, "look like degrees"),
    "another grid": (
        lambda f: save(image(f, "mag", 2), scan()[1][1], shifted()),
        "echo-2_part-mag_MEGRE.nii.gz is on another grid than",
    ),
    "another size": (
        lambda f: save(image(f, "phase", 4), scan()[0][3][:, :-1]),
        "34 x 31 x 30 voxels instead of 34 x 32 x 30",
    ),
    "sheared": (
        lambda f: [
            save(image(f, p, n + 1), i[n], affine() @ np.array(SHEAR))
            for p, i in (("phase", scan()[0]), ("mag", scan()[1]))
            for n in range(4)
        ],
        "axes are sheared",
    ),
    "echoes in the wrong order": (backwards, "the magnitude grows from echo to echo"),
    "parts of different scans": (
        lambda f: edit(sidecar(f, "mag", 4), EchoTime=0.02),
        "do not belong together",
    ),
    "a sidecar that is no JSON": (
        lambda f: sidecar(f).write_text("{EchoTime: 3"),
        "is no readable JSON",
    ),
    "a file cut short": (
        lambda f: image(f).write_bytes(image(f).read_bytes()[:5000]),
        "cannot be read",
    ),
    "a phase difference": (
        lambda f: edit(sidecar(f), EchoTime1=0.004, EchoTime2=0.006),
        "is the phase difference of two echoes",
    ),
    "the sidecar says magnitude": (
        lambda f: edit(sidecar(f), ImageType=["ORIGINAL", "PRIMARY", "M"]),
        "taken as phase, but its sidecar says otherwise",
    ),
    "an echo with volumes": (
        lambda f: save(image(f, "phase", 2), scan()[0][:2]),
        "is one echo by name but has 2 volumes",
    ),
    "phase in Hz": (
        lambda f: [edit(sidecar(f, "phase", n), Units="Hz") for n in range(1, 5)],
        "says that the phase is in Hz",
    ),
}
SHEAR = [[1, 0.1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_has_its_sentence(tmp_path, mistake):
    make, message = MISTAKES[mistake]
    make(bids(tmp_path))
    (files,) = find_scans(tmp_path)
    with pytest.raises(InputError, match=message) as error:
        read_scan(files, required=("phase", "magnitude"))
    assert str(error.value).startswith("sub-01: ")


def test_all_problems_are_told_at_once(tmp_path):
    folder = bids(tmp_path)
    in_degrees(folder)
    save(image(folder, "mag", 2), scan()[1][1], shifted())
    every_sidecar(folder, MagneticFieldStrength=127.7, ImagingFrequency=None, Units=None)
    (files,) = find_scans(tmp_path)
    with pytest.raises(InputError) as error:
        read_scan(files)
    for part in ("3 problems", "another grid", "looks like MHz", "look like degrees"):
        assert part in str(error.value)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_echoes_on_the_wrong_axis_are_seen(tmp_path, axis):
    phase, magnitude, _ = scan()
    for name, values in (("a_ph.nii", phase), ("a.nii", magnitude)):
        stored = np.moveaxis(values.T, 3, axis)
        save(tmp_path / name, stored.T, **FACTS)
    (files,) = find_scans(tmp_path)
    word = ("first", "second", "third")[axis]
    with pytest.raises(InputError, match=f"{word} axis has the length 4 of the echoes"):
        read_scan(files, Corrections(te_s=TE_S))


def test_the_number_of_stated_echo_times_must_fit(tmp_path):
    bids(tmp_path)
    (files,) = find_scans(tmp_path)
    with pytest.raises(InputError, match="3 echo times were stated but there are 4 echoes"):
        read_scan(files, Corrections(te_s=TE_S[:3]))
    with pytest.raises(InputError, match="there is no file for echo 7"):
        read_scan(files, Corrections(echoes=(1, 7)))


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"te_s": (4, 8)}, "looks like milliseconds"),
        ({"te_s": (0.008, 0.004)}, "must ascend"),
        ({"b0_tesla": 127.7}, "looks like MHz"),
        ({"b0_tesla": 30000}, "looks like gauss"),
        ({"b0_tesla": 3, "center_frequency_hz": 127.7}, "does not belong"),
        ({"readout": "zigzag"}, "not one of monopolar, bipolar"),
        ({"phase_sign": 0}, "1 or -1"),
        ({"phase_scale": "grad"}, "not auto, rad"),
        ({"phase_scale": "-4096"}, "not auto, rad"),
        ({"accept": ("everything",)}, "no check everything"),
    ],
)
def test_statements_in_wrong_units_are_refused_at_once(stated, message):
    with pytest.raises(ParameterError, match=message):
        Corrections(**stated)


def test_filtered_phase_is_refused_unless_accepted(tmp_path):
    head_scan = head(voxel_mm=4.0)
    signal = (head_scan.magnitude * np.exp(1j * head_scan.phase))[3]
    smooth = ndimage.gaussian_filter(signal, 2.0)
    for name, phase in (("raw", np.angle(signal)), ("filtered", np.angle(signal / smooth))):
        facts = {**FACTS, "EchoTime": head_scan.acquisition.te_s[3]}
        save(tmp_path / name / "a_ph.nii", phase, head_scan.affine, **facts, Units="rad")
        save(tmp_path / name / "a.nii", np.abs(signal), head_scan.affine, **facts)
    read_scan(find_scans(tmp_path / "raw")[0])
    (files,) = find_scans(tmp_path / "filtered")
    with pytest.raises(InputError, match=r"looks high-pass filtered.*--accept filtered-phase"):
        read_scan(files)
    read_scan(files, Corrections(accept=("filtered-phase",)))


def test_a_mask_must_be_a_mask_on_the_same_grid(tmp_path):
    bids(tmp_path)
    mask, (files,) = scan()[2].mask, find_scans(tmp_path)
    other = tmp_path / "m.nii"
    for values, matrix, message in (
        (mask, shifted(), "another grid than.*resample"),
        (mask[:-2], None, "34 x 32 x 28 voxels instead of"),
        (mask * 0.4, None, "threshold it first"),
        (0 * mask, None, "is empty"),
        (np.stack([mask, mask]), None, "has 2 volumes"),
    ):
        save(other, values, matrix)
        with pytest.raises(InputError, match=message):
            read_scan(files, given={"mask": other})
    with pytest.raises(InputError, match=r"Brain mask: .*no such file"):
        read_scan(files, given={"mask": tmp_path / "none.nii"})
    save(other, mask, Units="Hz")
    save(tmp_path / "c.nii", mask, Units="Hz")
    with pytest.raises(InputError, match=r"Susceptibility \(c.nii\) is in Hz; it must be in ppm"):
        read_scan(files, given={"mask": other, "chi": tmp_path / "c.nii"})


def test_folders_without_a_scan_say_what_is_expected(tmp_path):
    with pytest.raises(InputError, match="there is no such folder"):
        find_scans(tmp_path / "none")
    with pytest.raises(InputError, match=r"neither sub-.* nor NIfTI.*dcm2niix"):
        find_scans(tmp_path)
    bids(tmp_path)
    with pytest.raises(InputError, match="no participant 99; has 01"):
        find_scans(tmp_path, ["99"])
    (files,) = find_scans(tmp_path, (), ["nope"])
    with pytest.raises(InputError, match="no phase was found"):
        read_scan(files)


def test_two_scans_in_a_plain_folder_are_not_mixed(tmp_path):
    phase, magnitude, _ = scan()
    for series in (5, 7):
        save(tmp_path / f"gre_{series}_e1.nii", magnitude[0], **FACTS, EchoTime=0.004)
        save(tmp_path / f"gre_{series}_e1_ph.nii", phase[0], **FACTS, EchoTime=0.004)
    (files,) = find_scans(tmp_path)
    with pytest.raises(InputError, match="are both phase of echo 1; keep one scan in a folder"):
        read_scan(files)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the folder 'shared' is not beside the repository")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("siemensXA30_fmap", "9_gre_field_mapping_e2_ph.nii is the phase difference"),
        ("hmri3T_b0", "phasediff.nii is the phase difference"),
        ("ge3T_fmap", "no phase was found"),
        ("romeo_small", "no echo time for Mag.nii, Phase.nii"),
    ],
)
def test_real_folders_that_are_no_scan_are_refused(name, message):
    (files,) = find_scans(SHARED / name)
    with pytest.raises(InputError, match=message):
        read_scan(files)


def test_no_fact_names_the_person_or_the_place(tmp_path):
    folder = bids(tmp_path, facts={"PatientName": "X", "InstitutionName": "Y", "StationName": "Z"})
    (files,) = find_scans(tmp_path)
    assert json.dumps(read_scan(files).facts).count(":") == 1
    assert folder.is_dir()
