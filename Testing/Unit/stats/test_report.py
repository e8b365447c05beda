"""The report page and its pictures."""

import base64
import re

import numpy as np
import pytest
import SimpleITK as sitk

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
    assert f"<td>{left['mean_ppb']:.3g}</td><td>{right['mean_ppb']:.3g}</td>" in page
    assert "Hallgren" in page


def test_standing_and_failed_quality_are_shown():
    chi, segments, table = case()
    standing = Standing("CN", "left", "mean_ppb", 20, 30, 10, 50, -1.23, 11, 25)
    quality = Quality(False, ("Something is <wrong>.",), {})
    page = report_page("x", table, segments, chi, np.eye(4), standings=[standing], quality=quality)
    assert "<td>-1.23</td><td></td><td>11</td>" in page
    assert "Something is &lt;wrong&gt;." in page
    assert "nothing speaks against" not in page


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
