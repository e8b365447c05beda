"""Tables of participants: recognised names and units, and every problem at once."""

import numpy as np
import pytest

from QSMReconLib.errors import InputError
from QSMStatsLib.cohort.columns import recognise
from QSMStatsLib.cohort.participants import interpret, read_participants


def table(text):
    lines = [line.split("\t") for line in text.strip().splitlines()]
    return [dict(zip(lines[0], cells, strict=True)) for cells in lines[1:]]


@pytest.mark.parametrize(
    ("heading", "name", "unit"),
    [
        ("Age", "age", None),
        ("AGE_YEARS", "age", "years"),
        ("Age (months)", "age", "months"),
        ("disease duration [months]", "duration", "months"),
        ("DiseaseDuration", "duration", None),
        ("Gender", "sex", None),
        ("EDSS_score", "edss", None),
        ("eTIV (mm3)", "head_volume", "mm3"),
        ("Vitamin D", "vitamin_d", None),
    ],
)
def test_headings_are_recognised_whatever_their_spelling(heading, name, unit):
    assert recognise(heading)[1:] == (name, unit)


def test_units_of_the_heading_and_of_the_sidecar_are_converted():
    rows = table("Subject\tAge (months)\tTIV\tduration\n01\t480\t1500000\t24\n02\t600\t1400000\t12")
    about = {"TIV": {"Units": "mm3"}, "duration": {"Units": "months"}}
    people = interpret(rows, about)
    assert not people.problems
    assert people.keys == [("sub-01", ""), ("sub-02", "")]
    np.testing.assert_allclose(people.columns["age"], [40, 50])
    np.testing.assert_allclose(people.columns["head_volume"], [1500, 1400])
    np.testing.assert_allclose(people.columns["duration"], [2, 1])
    assert len(people.notes) == 3


def test_codes_of_the_sex_are_read_through_the_levels():
    rows = table("participant_id\tsex\nsub-01\t1\nsub-02\t2\nsub-03\tn/a")
    about = {"sex": {"Levels": {"1": "male", "2": "Female participant"}}}
    assert list(interpret(rows, about).columns["sex"]) == ["m", "f", ""]
    assert interpret(rows).problems


def test_every_problem_is_named_at_once():
    rows = table(
        "participant_id\tage\tsex\tEDSS\tduration\n"
        "sub-01\t430\tf\t2\t5\n"
        "sub-02\t40\tx\t2.3\t5\n"
        "sub-02\t41\tm\t2\t5\n"
        "sub-03\tforty\tm\t12\t5\n"
        "sub-04\t30\tf\t2\t35\n"
        "sub-05\t30\tf\t2\t5\n"
        "sub-06\t3,5\tf\t2\t5"
    )
    texts = [f"{p.participant}: {p.text}" for p in interpret(rows).problems]
    for part in (
        "sub-01: age 430 is impossible (0 to 120 years)",
        "sub-02: sub-02 has 2 lines",
        "sub-02: sex 'x' is not known",
        "sub-02: EDSS 2.3 is not a step of 0.5",
        "sub-03: age 'forty' is not a number",
        "sub-03: EDSS 12 is impossible (0 to 10)",
        "sub-04: disease duration 35 years is longer than the age 30",
        "sub-06: age '3,5' is not a number; write a point",
    ):
        assert any(text.startswith(part) for text in texts), (part, texts)
    assert not any("sub-05" in text for text in texts)


def test_a_column_in_another_unit_is_one_problem_not_hundreds():
    rows = [{"participant_id": f"sub-{i}", "age": str(12 * (30 + i))} for i in range(20)]
    problems = interpret(rows).problems
    assert len(problems) == 1
    assert "age_months" in problems[0].text


def test_a_table_with_commas_is_read_and_one_without_participants_refused(tmp_path):
    path = tmp_path / "participants.csv"
    path.write_text("Participant ID,Age\n7,33\n")
    assert read_participants(path).keys == [("sub-7", "")]
    path.write_text("Age,Sex\n33,f\n")
    with pytest.raises(InputError, match="no column participant_id; have Age, Sex"):
        read_participants(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_participants(tmp_path / "none.tsv")


def test_sessions_give_a_line_each_with_the_years_between(tmp_path):
    path = tmp_path / "participants.tsv"
    path.write_text("participant_id\tage\tsex\nsub-1\t40\tf\nsub-2\t50\tm\n")
    (tmp_path / "sub-1").mkdir()
    file = tmp_path / "sub-1" / "sub-1_sessions.tsv"
    file.write_text(
        "session_id\tacq_time\tEDSS\tAge\n"
        "ses-a\t2020-01-01T10:00:00\t2\t40\nses-b\t2022-01-01T09:00:00\t2.5\t42\n"
    )
    people = read_participants(path)
    assert not people.problems
    assert people.keys == [("sub-1", "ses-a"), ("sub-1", "ses-b"), ("sub-2", "")]
    np.testing.assert_allclose(people.columns["age"], [40, 42, 50])
    np.testing.assert_allclose(people.columns["edss"], [2, 2.5, np.nan])
    np.testing.assert_allclose(people.columns["time"], [0, 730 / 365.25, np.nan], rtol=1e-5)
    assert list(people.columns["sex"]) == ["f", "f", "m"]
    assert "sessions of 1 participants" in people.notes[0]
    file.write_text("session_id\tacq_time\nses-a\tyesterday\n")
    with pytest.raises(InputError, match="acq_time 'yesterday' is no date"):
        read_participants(path)
