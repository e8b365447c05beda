"""The report page and its pictures."""

import base64
import re

import numpy as np
import pytest
import SimpleITK as sitk

from QSMStatsLib import pictures
from QSMStatsLib.atlas.quality import Quality
from QSMStatsLib.normative import Standing
from QSMStatsLib.pictures import oriented
from QSMStatsLib.report import report_page
from QSMStatsLib.segments import segments_from_labels
from QSMStatsLib.segmenttable import segment_table

pytest.importorskip("matplotlib", reason="matplotlib is not installed")


def case():
    rng = np.random.default_rng(0)
    chi = rng.normal(0.02, 0.05, (30, 40, 36))
    labels = np.zeros(chi.shape, int)
    labels[10:16, 10:20, 6:12], labels[10:16, 10:20, 24:30] = 1, 2
    segments = segments_from_labels(labels, {1: "Left caudate", 2: "Right caudate"})
    table = segment_table(chi, segments, (1, 1, 1), facts={"Reference": "CSF <& more>"})
    return chi, segments, table


def test_the_page_stands_alone_with_pictures_numbers_and_reference():
    chi, segments, table = case()
    page = report_page("Head <1>", table, segments, chi, np.eye(4), age=50)
    pictures = re.findall(r"base64,([^']+)'", page)
    assert len(pictures) == 3
    assert all(base64.b64decode(p).startswith(b"\x89PNG") for p in pictures)
    assert "Head &lt;1&gt;" in page
    assert "CSF &lt;&amp; more&gt;" in page
    assert not re.search(r"(src|href)='(?!data:)", page)
    left, right = table.row("CN", "left"), table.row("CN", "right")
    assert f"<td>{left['mean_ppb']:.1f}</td><td>{right['mean_ppb']:.1f}</td>" in page
    assert "Hallgren" in page


def test_standing_and_failed_quality_are_shown():
    chi, segments, table = case()
    standing = Standing("CN", "left", "mean_ppb", 20, 30, 10, 50, -1.23, 11, 25)
    quality = Quality(False, ("Something is <wrong>.",), {})
    page = report_page("x", table, segments, chi, np.eye(4), standings=[standing], quality=quality)
    assert "<td>-1.23</td><td></td><td>11</td>" in page
    assert "Something is &lt;wrong&gt;." in page
    assert "nothing speaks against" not in page


def test_warnings_of_a_kind_are_told_in_one_sentence():
    rng = np.random.default_rng(0)
    chi, labels = rng.normal(0.02, 0.05, (20, 20, 20)), np.zeros((20, 20, 20), int)
    labels[5:7, 5:7, 5:8], labels[5:7, 5:7, 12:14] = 1, 2
    segments = segments_from_labels(labels, {1: "Left red nucleus", 2: "Right red nucleus"})
    page = report_page("x", segment_table(chi, segments, (1, 1, 1)), segments, chi, np.eye(4))
    assert page.count("lie at the surface") == 1
    assert "only ... voxels: RN left 12, RN right 8" in page


def test_slices_show_the_right_of_the_head_on_the_left(monkeypatch):
    seen = []
    monkeypatch.setattr(
        pictures, "_slice", lambda axes, picture, labels, shown: seen.append(labels)
    )
    labels = np.zeros((30, 40, 36), int)
    labels[10:20, 10:20, 6:12], labels[10:20, 10:20, 24:30] = 1, 2  # RAS: left has the lower i
    segments = segments_from_labels(labels, {1: "Left putamen", 2: "Right putamen"})
    pictures.outlines(np.ones(labels.shape), segments, np.eye(4))
    first = seen[0]
    sides = [np.argwhere(first == n)[:, 1].mean() for n in (1, 2)]
    names = [s.side for s in segments if s.side != "both"]
    assert sides[names.index("right")] < sides[names.index("left")]


def test_axial_slices_pass_through_the_small_nuclei():
    number = np.zeros((60, 10, 10), int)
    number[5:8], number[20:22], number[30:36], number[40:50] = 1, 2, 3, 4
    views = pictures._views(number, np.argwhere(number), ["DN", "RN", "GPe", "CN"])
    levels = [where for axis, where in views if axis == 0]
    assert [number[k, 0, 0] for k in levels] == [1, 2, 3, 4]


@pytest.mark.parametrize("order", ["RAS", "LPS", "SRA", "PIR"])
def test_pictures_show_any_orientation_the_same_way(order):
    array = np.arange(4 * 5 * 6).reshape(4, 5, 6)
    ras = np.diag([1.5, 2.0, 3.0, 1.0])
    image = sitk.GetImageFromArray(array.astype(np.float32))
    image.SetSpacing((1.5, 2.0, 3.0))
    image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))  # array axes run S, A, R
    turned = sitk.DICOMOrient(image, order.translate(str.maketrans("RLAPSI", "LRPAIS")))
    lps = np.eye(4)
    lps[:3, :3] = np.reshape(turned.GetDirection(), (3, 3)) * turned.GetSpacing()
    affine = np.diag([-1.0, -1, 1, 1]) @ lps
    back, size = oriented(sitk.GetArrayFromImage(turned), affine)
    expected, expected_size = oriented(array, ras)
    np.testing.assert_array_equal(expected, array)
    np.testing.assert_array_equal(back, array)
    assert size == pytest.approx([3.0, 2.0, 1.5])
    assert expected_size == pytest.approx([3.0, 2.0, 1.5])
