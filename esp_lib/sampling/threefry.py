"""Threefry-2x32 with 20 rounds: every random number of the project, in 32-bit integer arithmetic.

Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011,
doi 10.1145/2063384.2063405. The generator is a keyed block function: (key, counter) -> two words.
It has no state, needs only addition, rotation and exclusive or, and so gives the same bits in
NumPy and in JavaScript. The key is (seed, stream); a stream is one use of randomness:

======  =========================  =======================================================
stream  counter                    words
======  =========================  =======================================================
0       (i, 0)                     a_i, b_i of function i
1       (i, 0)                     c_i and the coordinate of function i
2       (j // 2, epoch or step)    word j of the shuffle of that epoch, or of that batch
3       (j // 2, 0)                parameter j of a small network at its start
======  =========================  =======================================================
"""

import numpy as np
from numpy.typing import NDArray

ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)  # Table 4 of the source, two 32-bit words
PARITY = 0x1BD11BDA  # key-schedule constant of the source (C240, 32-bit form)
ROUNDS = 20

STREAM_CURVATURE, STREAM_MINIMUM, STREAM_ORDER, STREAM_WEIGHT = range(4)

Words = NDArray[np.uint32]


def threefry2x32(seed: int, stream: int, counter0: Words, counter1: Words) -> tuple[Words, Words]:
    """Two random words for each counter, `Threefry2x32-20((seed, stream), (counter0, counter1))`.

    The key words are from 0 to 2**32 - 1, the counters unsigned 32-bit integers that broadcast.

    Returns:
        Two uint32 arrays of the broadcast shape.
    """
    key = (seed, stream, PARITY ^ seed ^ stream)
    w0, w1 = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(c, np.uint32)) for c in (counter0, counter1))
    )
    w0 = w0 + np.uint32(key[0])
    w1 = w1 + np.uint32(key[1])
    for r in range(ROUNDS):
        w0 += w1
        rotation = ROTATIONS[r % 8]
        w1 = (w1 << np.uint32(rotation)) | (w1 >> np.uint32(32 - rotation))
        w1 ^= w0
        if r % 4 == 3:  # inject the key after every fourth round
            s = r // 4 + 1
            w0 += np.uint32(key[s % 3])
            w1 += np.uint32((key[(s + 1) % 3] + s) % 2**32)
    return w0, w1


def uniform(words: Words, low: float, high: float) -> NDArray[np.float64]:
    """Words as floats inside (low, high): low + (high - low) (word + 1/2) / 2**32."""
    return low + (high - low) * ((words.astype(np.float64) + 0.5) / 2.0**32)


def below(words: Words, bound: int) -> NDArray[np.int64]:
    """Words as integers in [0, bound), floor(word bound / 2**32); bias below bound / 2**32."""
    return ((words.astype(np.uint64) * np.uint64(bound)) >> np.uint64(32)).astype(np.int64)
