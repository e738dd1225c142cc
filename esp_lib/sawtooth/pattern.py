"""The pattern of a curve in one word, as the whole book uses these words.

* *diverges*: the loss ends not finite, or its last epoch has over twice the first epoch's loss;
* *sawtooth*: the loss drops at the epoch boundaries and climbs in between;
* *staircase*: it drops at the boundaries and does not climb in between;
* *none*: no drop stands out from the noise.

While a loss still descends fast, a sawtooth may look like a staircase: measure what has settled.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from esp_lib.sawtooth.curve import Curve
from esp_lib.sawtooth.measurement import LEVEL, Sawtooth, measure

PATTERNS = ("diverges", "sawtooth", "staircase", "none")
CLIMBS = 2.0  # standard errors above zero from which a rise is a climb


def pattern(curve: Curve, tooth: Sawtooth) -> NDArray[Any]:
    """The word for each run of `curve`, shape (...), whose tooth `measure` found to be `tooth`.

    Example:
        >>> flat = Curve(np.ones(1000), steps_per_epoch=100)
        >>> str(pattern(flat, measure(flat)))
        'none'
    """
    with np.errstate(invalid="ignore"):
        drops = np.asarray(tooth.p_value < LEVEL)
        climbs = np.asarray(tooth.rise > CLIMBS * tooth.rise_error)
    words = np.select([curve.diverged, drops & climbs, drops], PATTERNS[:3], PATTERNS[3])
    return words[()]


def settled(curve: Curve) -> tuple[Any, Sawtooth]:
    """The word and the tooth of the last third of a run: what is left when the descent is over."""
    epochs = curve.steps // curve.steps_per_epoch
    tooth = measure(curve, skip_epochs=epochs - epochs // 3)
    return pattern(curve, tooth), tooth
