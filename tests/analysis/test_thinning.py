"""What a thinned drawing must not lose: peaks, the ends of steps, the branches of a loop."""

import numpy as np
import pytest

from analysis.thinning import LIMIT, envelope_note, envelope_rows


def test_a_series_of_up_to_4000_points_is_drawn_whole():
    x = np.arange(LIMIT)
    assert envelope_rows(x, np.sin(x)).tolist() == list(range(LIMIT))


def test_one_point_more_is_thinned_and_keeps_both_ends():
    x = np.arange(LIMIT + 1)
    rows = envelope_rows(x, np.sin(x), columns=100)
    assert rows.size <= 202
    assert rows[0] == 0
    assert rows[-1] == LIMIT


def test_single_spikes_in_half_a_million_points_survive():
    y = np.random.default_rng(4).normal(0.0, 1e-3, 500_000)
    y[123_457], y[400_001] = 5.0, -7.0
    rows = envelope_rows(np.arange(y.size), y)
    assert {123_457, 400_001} <= set(rows.tolist())
    assert rows.size < LIMIT


def test_first_and_last_point_of_every_step_are_kept():
    rng = np.random.default_rng(9)
    starts = np.sort(rng.choice(np.arange(1, 60_000), 300, replace=False))
    rows = set(envelope_rows(np.arange(60_000.0), rng.normal(size=60_000), starts).tolist())
    assert set(starts.tolist()) <= rows
    assert set((starts - 1).tolist()) <= rows


def test_the_two_branches_of_a_loop_stay_apart():
    """Charge and discharge over the same capacities: each branch keeps its own curve."""
    q = np.linspace(0.0, 1.0, 30_000)
    x, y = np.concatenate([q, q[::-1]]), np.concatenate([3.5 + 0.1 * q, 3.3 + 0.1 * q[::-1]])
    rows = envelope_rows(x, y, [0, 30_000])
    upper, lower = rows[rows < 30_000], rows[rows >= 30_000]
    for part, offset in ((upper, 3.5), (lower, 3.3)):
        at = np.argsort(x[part])
        drawn = np.interp(q, x[part][at], y[part][at])
        assert np.abs(drawn - (offset + 0.1 * q)).max() < 1e-6


def test_columns_are_those_of_the_whole_span_also_when_x_is_noisy():
    rng = np.random.default_rng(5)
    x = rng.uniform(0.0, 1.0, 100_000)
    rows = envelope_rows(x, np.cos(x))
    assert rows.size < LIMIT
    assert np.cos(x)[rows].min() == np.cos(x).min()


def test_gaps_are_left_out_and_a_series_of_gaps_keeps_its_ends():
    y = np.full(5000, np.nan)
    assert envelope_rows(np.arange(5000.0), y).tolist() == [0, 4999]
    y[1000:4000] = 1.0
    y[2500] = 2.0
    assert 2500 in envelope_rows(np.arange(5000.0), y)


def test_equal_x_makes_one_column():
    y = np.arange(5000.0)
    assert envelope_rows(np.zeros(5000), y).tolist() == [0, 4999]


@pytest.mark.parametrize(("x", "y", "starts"), [([1, 2], [1], []), ([1, 2], [1, 2], [2]), ([1, 2], [1, 2], [-1])])
def test_series_that_do_not_fit_are_refused(x, y, starts):
    with pytest.raises(ValueError, match="series"):
        envelope_rows(x, y, starts)


def test_the_note_counts_in_groups_of_three():
    assert envelope_note(412_338) == "Envelope of 412\u202f338 points, zoom for all."
    assert envelope_note(5000, "all in the CSV") == "Envelope of 5\u202f000 points, all in the CSV."
