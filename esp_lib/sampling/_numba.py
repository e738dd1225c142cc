"""Random words and shuffles, compiled, from `threefry` and for `orders`."""

import numpy as np
from numpy.typing import NDArray

from esp_lib._jit import jit
from esp_lib.sampling.threefry import PARITY, ROTATIONS, ROUNDS, Words


def word_rows(seed: int, stream: int, rows: int, columns: int) -> Words:
    """Words of one stream as a table, uint32 (rows, columns).

    Entry [r, j] is word `j % 2` of counter (j // 2, r), as `threefry.threefry2x32` says.
    """
    return _word_rows((seed, stream, PARITY ^ seed ^ stream), rows, columns)


@jit
def _word_rows(key, rows, columns):
    w0 = np.empty((columns + 1) // 2, np.uint32)  # of a whole row, so that the loops vectorize
    w1 = np.empty_like(w0)
    out = np.empty((rows, columns), np.uint32)
    for row in range(rows):
        for j in range(w0.size):
            w0[j] = np.uint64(j + key[0])
            w1[j] = np.uint64(row + key[1])
        for r in range(ROUNDS):
            left = np.uint64(ROTATIONS[r % 8])
            right = np.uint64(32 - ROTATIONS[r % 8])
            s = r // 4 + 1
            inject = r % 4 == 3  # the key, after every fourth round
            k0 = np.uint64(key[s % 3] if inject else 0)
            k1 = np.uint64(key[(s + 1) % 3] + s if inject else 0)
            for j in range(w0.size):  # in 64 bits, of which the lower 32 are kept
                b = np.uint64(w1[j])
                a = np.uint64(w0[j]) + b
                w0[j] = a + k0
                w1[j] = (((b << left) | (b >> right)) ^ a) + k1
        for j in range(columns // 2):  # assigning slices would take 4 s longer to compile
            out[row, 2 * j] = w0[j]
            out[row, 2 * j + 1] = w1[j]
        if columns % 2:
            out[row, columns - 1] = w0[columns // 2]
    return out


def shuffle_rows(words: Words, n: int) -> NDArray[np.int32]:
    """The first k entries of a Fisher-Yates shuffle of 0 … n - 1, one shuffle a row.

    `words` are uint32 (rows, k), k <= n.

    Returns:
        int32 array (rows, k); the entries of a row are distinct.
    """
    return _shuffle_rows(np.ascontiguousarray(words), n)


@jit
def _shuffle_rows(words, n):
    rows, k = words.shape
    out = np.empty((rows, k), np.int32)
    target = np.empty(k, np.int64)
    pool = np.empty(n, np.int32)
    for j in range(n):
        pool[j] = j
    for r in range(rows):
        for j in range(k):
            target[j] = j + ((np.uint64(words[r, j]) * np.uint64(n - j)) >> np.uint64(32))
            pool[j], pool[target[j]] = pool[target[j]], pool[j]
            out[r, j] = pool[j]
        for j in range(k - 1, -1, -1):  # undo, so that each row starts from 0 … n - 1
            pool[j], pool[target[j]] = pool[target[j]], pool[j]
    return out
