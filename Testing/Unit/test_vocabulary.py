"""Units, acquisition, parameters and the checks of a stage: errors before anything runs."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from phantoms import acquisition
from QSMReconLib.acquisition import Acquisition, geometry_from_affine
from QSMReconLib.errors import InputError, ParameterError
from QSMReconLib.params import Params, param
from QSMReconLib.stage import Algorithm, Image, Stage
from QSMReconLib.stages import stage
from QSMReconLib.units import TURN_RAD, hz_to_ppm, ppm_to_hz


def test_one_ppm_at_3_tesla_is_127_7_hz():
    acq = acquisition()
    assert ppm_to_hz(np.float64(1), acq) == pytest.approx(127.73, abs=0.01)
    assert hz_to_ppm(np.float64(127.732), acq) == pytest.approx(1, abs=1e-4)


def test_the_centre_frequency_goes_before_the_nominal_field():
    acq = acquisition(center_frequency_hz=123.2e6)
    assert ppm_to_hz(np.float32(2), acq) == pytest.approx(246.4, rel=1e-6)
    assert ppm_to_hz(np.float32(2), acq).dtype == np.float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"te_s": (4.0, 8.0)}, "looks like milliseconds"),
        ({"te_s": (4e-6, 8e-6)}, "too short"),
        ({"te_s": (0.004, 0.004)}, "ascend"),
        ({"te_s": (0.008, 0.004)}, "ascend"),
        ({"te_s": (-0.004,)}, "> 0 s"),
        ({"b0_tesla": 123.25}, "looks like MHz .2.89 T"),
        ({"b0_tesla": 30000}, "looks like gauss .3 T"),
        ({"b0_tesla": 0.0}, "in tesla"),
        ({"b0_direction": (1, 1, 0)}, "length 1"),
        ({"voxel_size_mm": (1, 0, 1)}, "> 0 mm"),
        ({"center_frequency_hz": 127.7}, "does not belong to 3 T"),
        ({"readout": "zigzag"}, "monopolar, bipolar"),
    ],
)
def test_wrong_units_of_the_acquisition_are_named(change, message):
    with pytest.raises(InputError, match=message):
        replace(acquisition(), **change)


def test_all_problems_of_an_acquisition_come_at_once():
    with pytest.raises(InputError) as error:
        Acquisition((1, 1, 0), b0_tesla=30000, te_s=(4, 8))
    for word in ("voxel size", "gauss", "milliseconds"):
        assert word in str(error.value)


def test_geometry_comes_from_the_affine_in_array_order():
    angle = np.deg2rad(30)
    turn = np.array(
        [
            [1, 0, 0],
            [0, np.cos(angle), -np.sin(angle)],
            [0, np.sin(angle), np.cos(angle)],
        ]
    )
    size, b0 = geometry_from_affine(turn @ np.diag([-0.5, -1, 2]))
    assert size == pytest.approx((2, 1, 0.5))
    assert b0 == pytest.approx((np.cos(angle), -np.sin(angle), 0))


def test_a_sheared_affine_is_refused():
    with pytest.raises(InputError, match="sheared"):
        geometry_from_affine([[1, 0.3, 0], [0, 1, 0], [0, 0, 1]])


@dataclass(frozen=True)
class ExampleParams(Params):
    weight: float = param(0.1, "Weight", "Example", range=(0, 1), unit="1/mm")
    count: int = param(3, "Count", "Example")
    sharp: bool = param(True, "Sharp", "Example")
    kind: str = param("a", "Kind", "Example", choices=("a", "b"))


def test_parameters_are_parsed_from_text():
    params = ExampleParams.from_dict({"weight": "0.5", "count": "4", "sharp": "off", "kind": "b"})
    assert params == ExampleParams(0.5, 4, False, "b")
    assert params.changed() == {"weight": 0.5, "count": 4, "sharp": False, "kind": "b"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"weight": 2}, r"weight=2 1/mm \(Weight\) is outside 0 to 1"),
        ({"weight": float("nan")}, "outside"),
        ({"weight": "much"}, "not a valid float"),
        ({"count": 2.5}, "not a valid int"),
        ({"sharp": "perhaps"}, "not a valid bool"),
        ({"kind": "c"}, "not one of a, b"),
        ({"wieght": 1}, "no parameter wieght; known: weight, count, sharp, kind"),
    ],
)
def test_wrong_parameters_are_named(values, message):
    with pytest.raises(ParameterError, match=message):
        ExampleParams.from_dict(values)


PHASE = Image("phase", "Phase", "rad", axes="ekji", range=(-6.2832, 6.2832))
MAGNITUDE = Image("magnitude", "Magnitude", axes="ekji", optional=True, range=(0, np.inf))
MASK = Image("mask", "Brain mask", is_mask=True)
ACQ = acquisition(te_s=(0.004, 0.008))


def example_stage():
    def run(phase, magnitude, mask, acq, params, progress):
        return phase[0] * mask

    algorithm = Algorithm("sum", "Sum", run, ExampleParams, "Example.")
    out = (Image("field", "Field", "Hz"),)
    return Stage("example", "Example", "Example.", (PHASE, MAGNITUDE, MASK), out, (algorithm,))


def run_example(**images):
    shape = (2, 4, 5, 6)
    given = {"phase": np.ones(shape), "magnitude": np.ones(shape), "mask": np.ones(shape[1:])}
    return example_stage().run("sum", given | images, ACQ)["field"]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ({"phase": None}, "Phase is missing"),
        ({"phase": np.full((2, 4, 5, 6), 179.0)}, "looks like degrees"),
        ({"phase": np.full((2, 4, 5, 6), 800.0)}, "magnitude image"),
        ({"phase": np.ones((3, 4, 5, 6))}, "3 echoes but there are 2 echo times"),
        ({"phase": np.ones((4, 5, 6, 2))}, "echo axis last"),
        ({"phase": np.ones((4, 5, 6))}, r"axes \(echo, K, J, I\)"),
        ({"phase": np.ones((2, 4, 5, 6), complex)}, "complex"),
        ({"magnitude": -np.ones((2, 4, 5, 6))}, "is this a phase image"),
        ({"mask": np.ones((4, 5, 7))}, r"Brain mask has \(4, 5, 7\) voxels but Phase"),
        ({"mask": np.zeros((4, 5, 6))}, "Brain mask is empty"),
        ({"phase": np.full((2, 4, 5, 6), np.nan)}, "NaN"),
    ],
)
def test_images_that_do_not_fit_are_named_by_their_label(images, message):
    with pytest.raises(InputError, match=message):
        run_example(**images)


def test_images_without_voxels_are_refused_as_empty():
    shape = (2, 0, 5, 6)
    with pytest.raises(InputError, match="Brain mask is empty"):
        run_example(phase=np.ones(shape), magnitude=np.ones(shape), mask=np.ones(shape[1:]))


def test_a_value_that_is_no_number_does_not_hide_a_wrong_unit():
    phase = np.full((2, 4, 5, 6), 179.0)
    phase[0, 0, 0, 0], phase[1, 3, 4, 5] = np.nan, np.inf
    with pytest.raises(InputError, match="looks like degrees"):
        run_example(phase=phase)


def test_a_whole_turn_rounded_up_is_still_phase():
    turn = np.float32(TURN_RAD)
    assert float(turn) > TURN_RAD
    for value in (turn, -turn):
        phase = np.full((1, 4, 5, 6), value, np.float32)
        images = {"phase": phase, "mask": np.ones((4, 5, 6))}
        stage("unwrapping").run("laplacian", images, acquisition(te_s=(0.004,)))


def test_all_problems_of_the_images_come_at_once():
    with pytest.raises(InputError) as error:
        run_example(phase=np.ones((3, 4, 5, 6)), mask=None)
    assert "3 echoes" in str(error.value)
    assert "Brain mask is missing" in str(error.value)


def test_unknown_algorithm_names_the_known_ones():
    with pytest.raises(ParameterError, match="have sum"):
        example_stage().run("difference", {}, ACQ)
