"""Two rules side by side: the page's runs and words against the library's."""

import numpy as np
import pytest

from esp_lib.widgets import TwoRulesExplorer
from esp_lib.widgets.comparison.two_rules import RULES, rule_of
from tests.node import ask
from tests.widgets.recordings import RATES

SAID = {"diverges": ": diverges", "sawtooth": ": sawtooth: ", "staircase": ": staircase: ",
        "none": ": no tooth: "}  # fmt: skip


def settings():
    """Every rule with every other one, at rates and values of beta2 all over the place."""
    rng = np.random.default_rng(9)
    for k, first in enumerate(RULES):
        for j, second in enumerate(RULES):
            yield {
                "first": first, "second": second, "seed": k,
                "rate": float(f"{10 ** rng.uniform(-1.5, 1.2):.3g}"),
                "beta2": float(f"{(0.999, 0.8, rng.uniform(0, 1))[j % 3]:.3g}"),
            }  # fmt: skip


def test_the_page_runs_and_says_as_the_library(node, tmp_path):
    jobs = list(settings())
    rules = TwoRulesExplorer(RATES).data["rules"]
    job = {"rules": rules, "settings": jobs}
    answers = ask(node, tmp_path, "two_rules", job, "widgets/comparison/two_rules.js")
    words = set()
    for job, answer in zip(jobs, answers, strict=True):
        explorer = TwoRulesExplorer(RATES, **job)
        for page, curve, (word, tooth) in zip(answer, explorer.curves, explorer.found, strict=True):
            found = np.array(page["loss"], float)
            np.testing.assert_allclose(found, curve.loss, rtol=1e-6, err_msg=str(job))
            assert page["word"] == word, job
            assert SAID[word] in page["line"]
            if word == "sawtooth" and tooth.rise > 1e-3:
                assert f"drops by {few_digits(tooth.drop)} " in page["line"]
                assert f"rises by {few_digits(tooth.rise)} " in page["line"]
            words.add(word)
    assert {"diverges", "sawtooth", "staircase"} <= words


def few_digits(value):
    """As `short` writes numbers from 0.001 to 10,000."""
    return f"{float(f'{value:.{3 if value >= 1 else 2}g}'):g}"


def test_smaller_rates_make_smaller_teeth_and_beta2_makes_large_ones():
    """What the chapter says: the climb grows with the rate; Adam at 0.8 has large teeth."""
    rises = [
        [float(tooth.rise) for _, tooth in TwoRulesExplorer(RATES, rate=rate).found]
        for rate in (0.3, 1.0, 3.0)
    ]
    assert (np.diff(rises, axis=0) > 0).all()
    usual, forgetful = (
        TwoRulesExplorer(RATES, beta2=b).found[1][1].amplitude for b in (0.999, 0.8)
    )
    assert forgetful > 4 * usual


def test_rules_have_a_beta2_where_they_have_one():
    assert rule_of("RMSProp", 0.1, 0.8).beta == 0.8
    assert rule_of("AMSGrad", 0.1, 0.8).beta2 == 0.8
    assert not hasattr(rule_of("Adagrad", 0.1, 0.8), "beta2")


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="rates must be of SGD"):
        TwoRulesExplorer({"SGD": 1.0})
    with pytest.raises(ValueError, match="first must be one of"):
        TwoRulesExplorer(RATES, first="Lion")
    with pytest.raises(ValueError, match=r"rates\['SGD'\] must be"):
        TwoRulesExplorer({**RATES, "SGD": -1.0})
