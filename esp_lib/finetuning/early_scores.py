"""Early scores against final ones: whether an episode's end shows at its beginning.

Source: Dodge et al. (arXiv 2002.06305, 2020), section 5: that poor episodes show early is what
stopping them early rests on. `early_scores.js` is the twin in the explorer.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib import _checks
from esp_lib.finetuning.early_stopping import check_episodes, point_of


class Early(NamedTuple):
    """What the scores at one evaluation say about those at the end."""

    rho: float  # rank correlation over episodes; NaN where all of either are the same
    line: float  # early score of the worst episode that is continued
    kept: NDArray[np.intp]  # (p,) episodes that are continued, the best early ones
    best_kept: float  # best final score of them
    best: float  # of all


def early_and_final(score: ArrayLike, loss: ArrayLike, f: float, p: int) -> Early:
    """Compare the score at the fraction `f` of training with the score at its end.

    Score and loss are as in `early_stopping.compare`; `f` is k / P for a whole k, and p episodes
    are continued.
    """
    from scipy.stats import spearmanr

    episodes = check_episodes(score, loss)
    size, points = episodes.score.shape
    _checks.integer("p", p, low=1, high=size)
    point = point_of(f, points)
    early, final = episodes.score[:, point - 1], episodes.score[:, -1]
    same = np.ptp(early) == 0 or np.ptp(final) == 0
    kept = episodes.order(point)[:p]
    return Early(
        float("nan") if same else float(spearmanr(early, final).statistic),
        float(early[kept].min()),
        kept,
        float(final[kept].max()),
        float(final.max()),
    )
