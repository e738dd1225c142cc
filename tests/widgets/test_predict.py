"""The map that predicts: its JavaScript against `predict`, and what it says against `measure`."""

import numpy as np
import pytest

from esp_lib import Adam
from esp_lib.sawtooth.measurement import measure
from esp_lib.theory.drift import steps_to_eps
from esp_lib.theory.maps import SKIP
from esp_lib.theory.prediction import predict
from esp_lib.widgets import PredictExplorer
from esp_lib.widgets.predict.predict import LR, fold, packed_classes
from tests.node import ask
from tests.widgets.recordings import plane

SETTINGS = [(0.9, 0.8, 1e-8), (0.9, 0.999, 1e-8), (0.9, 0.9, 1e-5), (0.5, 0.4, 1e-8),
            (0.0, 0.0, 1e-3), (0.9, 0.78, 1e-5), (0.96, 0.4, 1e-8)]  # fmt: skip


def made(**settings):
    return PredictExplorer(plane([0.5, 0.9]), plane([1e-10, 1e-4]), **settings)


@pytest.fixture(scope="module")
def answers(node, tmp_path_factory):
    folder = tmp_path_factory.mktemp("predict")
    named = [dict(zip(("beta1", "beta2", "eps"), one, strict=True)) for one in SETTINGS]
    job = {"classes": packed_classes(), "settings": named}
    return ask(node, folder, "predict", job, "widgets/predict/predict.js")


@pytest.mark.parametrize("k", range(len(SETTINGS)))
def test_the_page_predicts_as_the_library(answers, k):
    beta1, beta2, eps = SETTINGS[k]
    expected = made(beta1=beta1, beta2=beta2, eps=eps).predicted.loss
    found = np.array(answers[k]["loss"], float)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("k", range(len(SETTINGS)))
def test_the_page_says_the_librarys_numbers(answers, k):
    beta1, beta2, eps = SETTINGS[k]
    tooth, _ = made(beta1=beta1, beta2=beta2, eps=eps).teeth
    sentence = answers[k]["sentence"]
    if abs(tooth.amplitude) >= 100:
        assert "Predicted: training blows up." in sentence
    else:
        drop, amplitude = (
            f"{float(f'{v:.{3 if abs(v) >= 1 else 2}g}'):g}" for v in (tooth.drop, tooth.amplitude)
        )
        assert f"Predicted: drop {drop}, amplitude {amplitude}." in sentence
    if beta2 < beta1**2:
        steps = float(steps_to_eps(0.015, beta2=beta2, eps=eps))
        assert f"grow, until ε stops them after some {round(steps)} steps" in sentence
    elif beta2 > beta1**2:
        assert "die out" in sentence


def test_few_points_predict_as_many():
    """256 points and five classes are within 3 % of what chapter 6 takes."""
    own = made().teeth[0]
    many = measure(predict(Adam(lr=LR, beta2=0.8), epochs=12, x0=0.0), skip_epochs=SKIP)
    assert own.amplitude == pytest.approx(many.amplitude, rel=0.03)


@pytest.mark.parametrize("beta2", [0.8, 0.95])
def test_prediction_and_simulation_agree(beta2):
    explorer = made(beta2=beta2)
    np.testing.assert_allclose(fold(explorer.predicted), fold(explorer.simulated), rtol=0.05)
    own, seen = explorer.teeth
    assert own.amplitude == pytest.approx(seen.amplitude, rel=0.15)


def test_maps_are_checked():
    with pytest.raises(ValueError, match="betas"):
        PredictExplorer(np.ones((2, 2)), plane([1e-10, 1e-4]))
    with pytest.raises(ValueError, match="beta2 must be"):
        made(beta2=1.0)
