"""Pictures and the page say what the answers say."""

import re

import numpy as np
import pytest
from matplotlib import image
from Unit.groups.cohorts import small_cohort, two_scans

from QSMStatsLib.groups import show
from QSMStatsLib.groups.ask import ask
from QSMStatsLib.groups.page import report_page
from QSMStatsLib.groups.pagetables import rounded
from QSMStatsLib.groups.partial import partials
from QSMStatsLib.groups.question import Question
from QSMStatsLib.groups.recipe import Recipe
from QSMStatsLib.groups.run import analyse
from QSMStatsLib.groups.settings import Settings

COHORT = small_cohort(effect=40.0)
SETTINGS = Settings(permutations=19)
PNG = b"\x89PNG"


@pytest.fixture
def drawn(monkeypatch):
    """Figures as they are before they become PNG."""
    kept = []
    original = show._png
    monkeypatch.setattr(show, "_png", lambda figure: kept.append(figure) or original(figure))
    return kept


def test_the_forest_has_every_estimate_with_its_interval_filled_where_it_stands_out(drawn):
    answer = ask(COHORT, Question("g"), SETTINGS)
    assert show.forest(answer, SETTINGS).startswith(PNG)
    panels = drawn[0].axes
    assert [a.get_title() for a in panels] == [
        "mean susceptibility", "volume", "susceptibility content",
    ]  # fmt: skip
    assert [t.get_text() for t in panels[0].get_yticklabels()] == ["CN", "GP", "TH"]
    for axes, measure in zip(panels, SETTINGS.measures, strict=True):
        lines = axes.collections[0].get_segments()
        filled, empty = axes.lines[0], axes.lines[1]
        rows = [answer.effect(s, measure=measure) for s in ("CN", "GP", "TH")]
        for e, line in zip(rows, lines, strict=True):
            np.testing.assert_allclose(line[:, 0], [e.low, e.high])
        sure = [e.estimate for e in rows if e.p_bh < 0.05]
        np.testing.assert_allclose(filled.get_xdata(), sure)
        assert len(empty.get_xdata()) == 3 - len(sure)
    assert "GP" in [t.get_text() for t in panels[0].get_yticklabels()]


def test_values_of_the_violins_have_the_adjusted_means():
    answer = ask(COHORT, Question("g"), SETTINGS)
    found = partials(answer, SETTINGS, "mean_ppb", "group", {("GP", "both")})["GP", "both"][0]
    for m in (m for m in answer.means if (m.structure, m.measure) == ("GP", "mean_ppb")):
        assert found.y[found.x == m.level].mean() == pytest.approx(m.adjusted)


def test_line_and_band_of_a_slope_are_those_of_the_model():
    answer = ask(COHORT, Question("e", ("edss",)), SETTINGS)
    e = answer.effect("GP")
    found = partials(answer, SETTINGS, "mean_ppb", "edss", {("GP", "both")})["GP", "both"][0]
    slopes = np.diff(found.line_y) / np.diff(found.line_x)
    np.testing.assert_allclose(slopes, e.estimate)
    np.testing.assert_array_equal(found.x, COHORT.covariates["edss"])
    assert np.polyfit(found.x, found.y, 1)[0] == pytest.approx(e.estimate, abs=2 * e.se)
    width = found.high - found.low
    middle = np.abs(found.line_x - found.x.mean()).argmin()
    assert width.argmin() in (middle - 1, middle, middle + 1)
    assert width[0] > width[middle] > 0


def test_a_quadratic_line_bends_as_the_model_does():
    values = {k: v + 0.5 * (COHORT.covariates["age"] - 43) ** 2 for k, v in COHORT.values.items()}
    cohort = type(COHORT)(COHORT.keys, COHORT.covariates, values)
    answer = ask(cohort, Question("a", ("age", "age^2"), ("sex",)), SETTINGS)
    found = partials(answer, SETTINGS, "mean_ppb", "age", {("GP", "both")})["GP", "both"][0]
    bend = np.polyfit(found.line_x, found.line_y, 2)[0]
    assert bend == pytest.approx(answer.effect("GP", contrast="age^2").estimate, rel=1e-6)


@pytest.mark.parametrize(
    ("question", "names"),
    [
        (Question("g"), {"g_forest", "g_violin"}),
        (Question("m", ("group", "edss")), {"m_forest", "m_violin-group", "m_scatter-edss"}),
        (Question("x", ("group:age",), ("group", "age")), {"x_forest", "x_scatter-groupage"}),
        (Question("q", ("age^2",), ("age",)), {"q_forest", "q_scatter"}),
        (Question("a", ("age", "age^2"), ()), {"a_forest", "a_scatter-age"}),
        (Question("c", ("group",), (), kind="change"), {"c_forest", "c_violin"}),
        (Question("r", ("group:time",), ("group", "time"), kind="mixed"), {"r_forest"}),
    ],
)
def test_every_kind_of_question_has_its_pictures_and_a_page(question, names):
    recipe = Recipe({}, (question,), SETTINGS)
    result = analyse(recipe, two_scans(COHORT) if question.kind != "cross-section" else COHORT)
    pictures = show.pictures_of(result)
    assert set(pictures) == names
    page = report_page(result, pictures)
    assert page.count("<img ") == len(names)
    assert question.title in page


def test_pictures_have_white_margins_so_nothing_is_cut(tmp_path):
    answer = ask(COHORT, Question("g"), SETTINGS)
    for number, data in enumerate((show.forest(answer, SETTINGS),
                                   show.panels(answer, SETTINGS, "group"))):  # fmt: skip
        path = tmp_path / f"{number}.png"
        path.write_bytes(data)
        ink = image.imread(path)[..., :3].min(axis=2) < 0.9
        edges = (ink[0], ink[-1], ink[:, 0], ink[:, -1])
        assert not any(edge.any() for edge in edges)


def test_the_page_has_numbers_exclusions_notes_and_methods():
    edss = COHORT.covariates["edss"].copy()
    edss[:5] = np.nan
    cohort = type(COHORT)(COHORT.keys, COHORT.covariates | {"edss": edss}, COHORT.values)
    questions = (Question("g"), Question("e", ("edss",)), Question("bad", ("iq",)))
    result = analyse(Recipe({}, questions, SETTINGS), cohort)
    page = report_page(result, {})
    e = result.answer("g").effect("GP")
    assert "{}<br><small>{} to {}".format(*rounded(e.estimate, e.low, e.high)) in page
    assert "5 scans have no EDSS and are left out of this question" in page
    assert "bad: Design: no column &#x27;iq&#x27;" in page
    assert "Benjamini and Hochberg" in page
    assert "19 permutations, seed 0" in page
    assert re.search(r"<td class='text'>age</td><td>\d+\.\d ± \d+\.\d", page)


@pytest.mark.parametrize(
    ("numbers", "texts"),
    [
        ((-6.4001, -8.3529, -4.4474), ("-6.4", "-8.4", "-4.4")),
        ((0.0012, -0.0213, 0.0237), ("0.001", "-0.021", "0.024")),
        ((15.8, -17.1, 48.7), ("16", "-17", "49")),
        ((-0.2, -10.0, 9.6), ("0", "-10", "10")),
    ],
)
def test_numbers_have_two_digits_of_what_is_not_known(numbers, texts):
    assert rounded(*numbers) == texts


def test_an_interaction_has_a_line_for_each_group_whose_slopes_differ_by_the_effect():
    answer = ask(COHORT, Question("x", ("group:age",), ("group", "age", "sex")), SETTINGS)
    lines = partials(answer, SETTINGS, "mean_ppb", "group:age", {("GP", "both")})["GP", "both"]
    assert [p.level for p in lines] == ["HC", "MS"]
    slope = {p.level: np.polyfit(p.line_x, p.line_y, 1)[0] for p in lines}
    assert slope["MS"] - slope["HC"] == pytest.approx(answer.effect("GP").estimate)
    for p in lines:
        assert len(p.x) == (COHORT.covariates["group"] == p.level).sum()
        assert (p.y - np.interp(p.x, p.line_x, p.line_y)).mean() == pytest.approx(0, abs=1e-9)
