"""The generator against its published vectors, a plain-Python twin and statistics."""

import numpy as np
import pytest
from scipy import stats

from esp_lib.sampling import _numba, threefry
from tests import reference

# Random123's known-answer file: threefry2x32, 20 rounds: counter, key, result.
KNOWN = [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 2, (0x1CB996FC, 0xBB002BE7)),
    ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
]


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_published_vectors(counter, key, result):
    words = threefry.threefry2x32(*key, *(np.array([c], np.uint32) for c in counter))
    assert tuple(int(w[0]) for w in words) == result
    assert reference.threefry(key, counter) == result


def test_table_against_twin():
    table = reference.word_rows(7, 2, rows=3, columns=5)
    for r in range(3):
        for j in range(5):
            assert table[r, j] == reference.threefry((7, 2), (j // 2, r))[j % 2]


@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1])
@pytest.mark.parametrize("columns", [1, 2, 7])
def test_compiled_table_is_the_same(seed, columns):
    for stream in (2, 2**32 - 1):
        table = _numba.word_rows(seed, stream, rows=3, columns=columns)
        assert table.dtype == np.uint32
        assert np.array_equal(table, reference.word_rows(seed, stream, 3, columns))


def test_seed_changes_every_word():
    a, b = (reference.word_rows(seed, 2, 4, 100) for seed in (0, 1))
    assert (a != b).all()


def test_uniform_passes_kolmogorov_smirnov():
    u = threefry.uniform(reference.word_rows(0, 0, 10, 10_000).ravel(), -1.0, 1.0)
    assert u.min() > -1
    assert u.max() < 1
    assert stats.kstest(u, stats.uniform(-1, 2).cdf).pvalue > 1e-3


def test_uniform_is_open_at_both_ends():
    ends = threefry.uniform(np.array([0, 2**32 - 1], np.uint32), 0.0, 1.0)
    assert 0 < ends[0] < 1e-9
    assert 1 - 1e-9 < ends[1] < 1


def test_below_is_uniform_and_in_range():
    draws = threefry.below(reference.word_rows(3, 1, 10, 10_000).ravel(), 97)
    counts = np.bincount(draws, minlength=97)
    assert counts.size == 97
    assert stats.chisquare(counts).pvalue > 1e-3


def test_words_are_serially_uncorrelated():
    u = threefry.uniform(reference.word_rows(5, 2, 1, 100_000)[0], 0.0, 1.0)
    for lag in (1, 2, 100):
        assert abs(np.corrcoef(u[lag:], u[:-lag])[0, 1]) < 4 / np.sqrt(u.size)
