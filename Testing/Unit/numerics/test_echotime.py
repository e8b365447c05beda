import numpy as np
import pytest

from QSMReconLib.numerics.echotime import common_turns, echo_order, follow_echoes
from QSMReconLib.numerics.phase import wrap

TE_S = (0.004, 0.0109, 0.0173)


def truth(te_s=TE_S, mean_hz=40.0, count=500):
    field = mean_hz + 30 * np.random.default_rng(0).standard_normal(count)
    return [(2 * np.pi * te * field).astype(np.float32) for te in te_s]


@pytest.mark.parametrize("template", [0, 1, 2])
def test_echoes_follow_the_template(template):
    expected = np.stack(truth())
    phase = wrap(expected)
    phase[template] = expected[template]
    follow_echoes(phase, TE_S, template)
    np.testing.assert_allclose(phase, expected, atol=1e-3)


def test_the_order_leads_from_neighbour_to_neighbour():
    assert echo_order(TE_S, 1) == [(0, 1), (2, 1)]
    assert echo_order(TE_S, 2) == [(1, 2), (0, 1)]


@pytest.mark.parametrize("shift", [-2, -1, 0, 1, 2])
def test_a_template_off_by_whole_turns_is_put_right(shift):
    phase = truth()
    region = np.zeros(phase[1].size, int)
    others, ratios = [wrap(phase[0]), wrap(phase[2])], [TE_S[0] / TE_S[1], TE_S[2] / TE_S[1]]
    off = phase[1] + np.float32(2 * np.pi * shift)
    turns = common_turns(off, region, others, ratios, np.ones_like(off))
    assert turns.tolist() == [-shift]


def test_each_region_gets_its_own_turns():
    phase = truth()
    region = np.arange(phase[0].size) % 3
    off = phase[0] + np.float32(2 * np.pi) * np.array([0, 3, -1], np.float32)[region]
    turns = common_turns(off, region, [wrap(phase[1])], [TE_S[1] / TE_S[0]], np.ones_like(off))
    assert turns.tolist() == [0, -3, 1]


def test_the_weight_decides_who_is_heard():
    phase = truth()
    wrong = np.arange(phase[0].size) % 10 > 3
    other = wrap(phase[1])
    other[wrong] = wrap(phase[1][wrong] + np.float32(2 * np.pi * TE_S[1] / TE_S[0]))
    region = np.zeros(other.size, int)
    ratio = [TE_S[1] / TE_S[0]]
    heard = common_turns(phase[0], region, [other], ratio, np.where(wrong, 0.1, 1).astype("f4"))
    unheard = common_turns(phase[0], region, [other], ratio, np.where(wrong, 1, 0.1).astype("f4"))
    assert heard.tolist() == [0]
    assert unheard.tolist() == [1]


def test_where_the_echoes_leave_it_open_the_goal_decides():
    phase = truth((0.005, 0.010), mean_hz=0)
    region = np.zeros(phase[0].size, int)
    off = phase[0] + np.float32(4 * np.pi)
    for goal, expected in ((0, -2), (6.5, -1)):
        turns = common_turns(off, region, [wrap(phase[1])], [2.0], np.ones_like(off), goal)
        assert turns.tolist() == [expected]
    assert common_turns(off, region, [], [], np.ones_like(off)).tolist() == [-2]
