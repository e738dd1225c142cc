"""What the explorers say about a curve is what the library and the chapters say, in words too."""

import numpy as np
import pytest

from esp_lib import Curve, measure
from esp_lib.sawtooth.pattern import pattern, settled
from esp_lib.widgets import SawtoothExplorer, sawtooth
from esp_lib.widgets.fields import check_settings
from tests.node import ask

SAID = {"diverges": "The run diverges", "sawtooth": "Sawtooth: ", "staircase": "Staircase: ",
        "none": "No tooth: "}  # fmt: skip


def shaped(tooth, fall, noise=0.05):
    """Ten epochs of 100 steps: a rise of `tooth` in each, each lower than the last by `fall`."""
    phase = np.linspace(0, 1, 100, endpoint=False)
    loss = [tooth * phase - fall * epoch for epoch in range(10)]
    return Curve(np.ravel(loss) + 20 + np.random.default_rng(1).normal(0, noise, 1000), 100)


@pytest.mark.parametrize(("tooth", "fall", "word"), [
    (1.0, 0.0, "sawtooth"), (0.0, 0.5, "staircase"), (-0.2, 0.5, "staircase"), (0.0, 0.0, "none"),
    (-1.0, 0.0, "none"), (0.0, -30.0, "diverges"),
])  # fmt: skip
def test_each_pattern_has_its_word(tooth, fall, word):
    curve = shaped(tooth, fall)
    assert pattern(curve, measure(curve)) == word
    assert settled(curve)[0] == word
    assert pattern(Curve(np.full(1000, np.nan), 100), measure(curve)) == "diverges"


def random_settings(count):
    rng = np.random.default_rng(16)
    for k in range(count):
        given = {
            "optimizer": ("Adam", "Adam", "RMSProp", "SGD")[k % 4],
            "order": ("reshuffle", "fixed", "reverse", "replacement")[k // 4 % 4],
            "beta1": float(rng.uniform(0, 0.95)),
            "beta2": float(1 - 10 ** rng.uniform(-4, -0.4)),
            "eps": float(10 ** rng.uniform(-10, -3)),
            "lr": float(10 ** rng.uniform(-2.5, -0.5) * (100 if k % 4 == 3 else 1)),
            "batch_size": int(rng.choice([100, 200, 400, 500])),
            "seed": int(rng.integers(100)),
        }
        yield check_settings(sawtooth.FIELDS, given, sawtooth.DEFAULTS)


def test_the_explorer_says_what_measure_finds_on_settled_runs(node, tmp_path):
    presets = [preset["settings"] for preset in SawtoothExplorer().plot.presets]
    jobs = [*presets, *random_settings(50)]
    modules = ("quadratic/simulation.js", "sawtooth/pattern.js", "widgets/front/words.js")
    answers = ask(node, tmp_path, "settled", jobs, *modules)
    words = []
    for found, job in zip(answers, jobs, strict=True):
        word, tooth = SawtoothExplorer(**job).settled
        words.append(word)
        assert (found["pattern"], job) == (word, job)
        assert found["sentence"].startswith(SAID[word]), found
        if word == "diverges":
            continue
        assert found["shape"] == tooth.shape
        for name in ("drop", "rise", "amplitude"):
            expected = float(getattr(tooth, name))
            assert found[name] == pytest.approx(expected, rel=1e-6, abs=1e-9), job
        if word == "sawtooth":
            assert f"drops by {two_digits(tooth.drop)}" in found["sentence"]
            assert f"rises by {two_digits(tooth.rise)}" in found["sentence"]
    assert set(words) == set(SAID)  # each word is needed


def two_digits(value):
    """As `short` writes numbers from 0.001 to 10,000."""
    return f"{float(f'{value:.{3 if abs(value) >= 1 else 2}g}'):g}"


def test_the_papers_order_of_teeth_is_what_the_explorer_says():
    """Smaller beta2, larger tooth; reversal enlarges it; a fixed order has none."""
    drops = [float(SawtoothExplorer(beta2=b).settled[1].drop) for b in (0.999, 0.9, 0.83, 0.8)]
    assert drops == sorted(drops)
    assert float(SawtoothExplorer(order="reverse").settled[1].drop) > drops[-1]
    assert SawtoothExplorer(order="fixed").settled[0] == "none"
    assert SawtoothExplorer(optimizer="RMSProp", order="fixed").settled[0] == "none"
