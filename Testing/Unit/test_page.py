"""The picture page: right planes, right orientation, right aspect; nothing without a picture."""

import sys

import numpy as np
import pytest

import phantoms
from QSMReconLib import page, pageview
from QSMReconLib.acquisition import geometry_from_affine
from QSMReconLib.errors import InputError

VOXEL_MM = (3.0, 2.0, 1.5)
RAS = np.diag([1.5, 2.0, 3.0, 1.0])


@pytest.fixture(scope="module")
def run():
    """A run whose iron lies at (-6, 2, 15) mm (k, j, i) from the middle, on the right."""
    shape = (36, 60, 72)
    scene = phantoms.spheres(
        shape,
        VOXEL_MM,
        sources=[((-0.12, 0.04, 0.30), 0.12, 0.15), ((0.6, 0.5, -0.2), 0.1, 0.15)],
        mask_radius_mm=50,
    )
    phase, magnitude = phantoms.echoes(scene.total_field, scene.acq.te_s, 100.0, r2star=20.0)
    images = {
        "phase": phase,
        "magnitude": magnitude,
        "mask": scene.mask,
        "local_mask": phantoms.ball(shape, 45, VOXEL_MM),
        "total_field": scene.total_field * scene.mask,
        "local_field": scene.local_field,
        "reliability": scene.mask.astype(np.float32),
        "chi_referenced": scene.chi,
        "r2star": 20.0 * scene.mask,
    }
    return images, scene.acq


def png_size(path):
    """Width and height of a PNG from its first chunk."""
    content = path.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")


def test_page_is_one_picture_and_leaves_the_images_as_they_were(run, tmp_path):
    images, acq = run
    before = {name: image.copy() for name, image in images.items()}
    rows = [(f"Structure {n}", n, 1.5, None) for n in range(14)]
    table = (("structure", "n", "mean ppb", "difference"), rows)
    path = page.write_page(tmp_path / "page.png", images, acq, "Title", table, ["fact"], RAS)
    width, height = png_size(path)
    assert 1000 < width < height
    assert list(tmp_path.iterdir()) == [path]
    for name, image in images.items():
        assert np.array_equal(image, before[name]), name


def test_planes_go_through_the_iron(run):
    images, acq = run
    view = pageview.View(images, acq, RAS)
    middle = (np.array(images["mask"].shape) - 1) / 2
    at_mm = [float(view.position(axis).split("=")[1].removesuffix("mm")) for axis in range(3)]
    wanted = [m * v + c for m, v, c in zip(middle, VOXEL_MM, (-6, 2, 15), strict=True)]
    assert at_mm == pytest.approx(wanted, abs=4)


def test_planes_without_susceptibility_go_through_the_middle_of_the_mask(run):
    images, acq = run
    few = {name: images[name] for name in ("magnitude", "mask")}
    view = pageview.View(few, acq, RAS)
    for plane, size, part in zip(
        view.planes, view.volumes["mask"].shape, (0.5, 0.5, 0.6), strict=True
    ):
        assert plane / size == pytest.approx(part, abs=0.06)


TURNS = [((0, 1, 2), (1, 1, 1)), ((2, 0, 1), (1, -1, 1)), ((1, 2, 0), (-1, 1, -1))]
"""Ways in which the same grid can be stored: order of the axes and flips."""


@pytest.mark.parametrize(("order", "signs"), TURNS)
def test_page_is_the_same_however_the_grid_is_stored(run, order, signs):
    images, acq = run
    stored, matrix = {}, np.eye(4)
    flips = tuple(slice(None, None, s) for s in signs)
    for name, image in images.items():
        lead = image.ndim - 3
        turned = np.transpose(image, (*range(lead), *(lead + a for a in order)))
        stored[name] = turned[(..., *flips)]
    shape = images["mask"].shape
    for new, (old, sign) in enumerate(zip(order, signs, strict=True)):
        matrix[:3, 2 - new] = RAS[:3, 2 - old] * sign
        if sign < 0:
            matrix[:3, 3] += RAS[:3, 2 - old] * (shape[old] - 1)
    size, direction = geometry_from_affine(matrix)
    turned_acq = phantoms.acquisition(size, direction, acq.te_s)
    expected = pageview.View(images, acq, RAS)
    found = pageview.View(stored, turned_acq, matrix)
    assert [found.position(a) for a in range(3)] == [expected.position(a) for a in range(3)]
    assert found.extent_mm == pytest.approx(expected.extent_mm)
    for name in ("chi", "phase", "local_mask"):
        for a, b in zip(found.slices(name), expected.slices(name), strict=True):
            assert np.array_equal(a, b)


def test_right_is_shown_on_the_left_and_front_above():
    shape = (10, 12, 14)
    right = np.zeros(shape, np.float32)
    right[:, :, 9:] = 1
    front = np.zeros(shape, np.float32)
    front[:, 8:, :] = 1
    acq = phantoms.acquisition(VOXEL_MM, te_s=())
    everywhere = np.ones(shape, bool)
    axial, coronal, _ = pageview.View({"chi": right, "mask": everywhere}, acq, RAS).slices("chi")
    assert axial[:, :5].all()
    assert not axial[:, 5:].any()
    assert coronal[:, :5].all()
    axial, _, sagittal = pageview.View({"chi": front, "mask": everywhere}, acq, RAS).slices("chi")
    assert axial[8:].all()
    assert sagittal[:, :4].all()


def test_panels_keep_the_proportions_of_the_body(run):
    images, acq = run
    view = pageview.View(images, acq, RAS)
    sheet = page._Sheet(view, 8, 1, 0)
    k, j, i = (n * v for n, v in zip(view.volumes["mask"].shape, VOXEL_MM, strict=True))
    ratios = [w / h for w, h in sheet.sizes_mm]
    assert ratios == pytest.approx([i / j, i / k, j / k])
    x, y, width, height = sheet.place(1.0, 2.0, 3.0, 4.0)
    assert width * sheet.width == pytest.approx(3)
    assert (1 - y - height) * sheet.height == pytest.approx(2)
    assert x * sheet.width == pytest.approx(1)


def test_windows_follow_the_values_in_the_mask():
    windows = {p.name: p.window for p in pageview.PANELS}
    assert windows["chi"](np.array([5.0])) == (-0.1, 0.1)
    assert windows["phase"](np.array([0.0])) == pytest.approx((-np.pi, np.pi))
    assert windows["total_field"](np.linspace(-10, 29, 400)) == (-30, 30)
    assert windows["magnitude"](np.full(9, 730.0)) == (0, 800)
    assert windows["r2star"](np.zeros(4))[1] > 0


def test_scan_facts_name_field_echoes_voxels_and_tilt():
    acq = phantoms.acquisition((2, 1, 1), (0.9, 0.1, 0.4), (0.005, 0.0123))
    assert page.scan_facts(acq) == (
        "3 T, 2 echoes, TE 5 to 12.3 ms, voxels 1 x 1 x 2 mm, B0 tilted by 25°"
    )
    single = phantoms.acquisition(te_s=(0.02,))
    assert page.scan_facts(single).endswith("1 echo, TE 20 ms, voxels 1 x 1 x 1 mm, B0 not tilted")


def test_single_image_without_affine_makes_a_page(run, tmp_path):
    images, acq = run
    path = page.write_page(tmp_path / "p.png", {"magnitude": images["magnitude"]}, acq, "T")
    assert png_size(path)[1] > 300
    assert "axis k" in pageview.View(images, acq).position(0)


def test_an_empty_mask_still_makes_a_page(run, tmp_path):
    images, acq = run
    empty = images | {"mask": np.zeros_like(images["mask"])}
    page.write_page(tmp_path / "p.png", empty, acq, "T", affine=RAS)


def test_missing_matplotlib_is_named_with_the_remedy(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InputError, match="pip install matplotlib"):
        page.write_page(tmp_path / "p.png", *run, "T")
    assert not list(tmp_path.iterdir())


def test_nothing_to_show_is_an_error(run, tmp_path):
    with pytest.raises(InputError, match="no image"):
        page.write_page(tmp_path / "p.png", {"note": "text"}, run[1], "T")
