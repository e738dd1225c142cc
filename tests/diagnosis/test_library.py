"""`diagnose` on what people have: arrays, series, frames; and how it shows itself."""

import json

import numpy as np
import pytest

from esp_lib import diagnose, read_log
from esp_lib.diagnosis.command import main
from esp_lib.diagnosis.report import as_text
from esp_lib.diagnosis.signs.grid import arrange, noise_of
from esp_lib.diagnosis.trial.synthetic import make

RUN = make("sawtooth", 1, steps_per_epoch=60, epochs=8, size=3)


def test_an_array_a_list_and_a_masked_array_are_taken():
    for loss in (RUN.loss, RUN.loss.tolist(), np.ma.array(RUN.loss, mask=False)):
        assert diagnose(loss, steps_per_epoch=60).verdict == "sawtooth"
    hidden = np.ma.array(RUN.loss.copy(), mask=np.arange(RUN.loss.size) % 7 == 0)
    hidden.data[hidden.mask] = 1e3
    found = diagnose(hidden, steps_per_epoch=60, steps=RUN.steps)
    assert found.verdict == "sawtooth"
    assert found.log.loss.max() < 10
    assert (
        diagnose(np.where(hidden.mask, np.nan, hidden.data), 60).log.loss.size
        == (~hidden.mask).sum()
    )


def test_steps_and_epochs_go_with_losses():
    found = diagnose(RUN.loss, steps=RUN.steps * 10, epochs=RUN.steps / 60)
    assert found.steps_per_epoch == 600
    assert found.steps_per_epoch_source == "log"
    assert found.verdict == "sawtooth"
    whole = diagnose(RUN.loss, epochs=(RUN.steps - 1) // 60)
    assert whole.steps_per_epoch == 60


def test_a_series_and_a_frame_of_pandas_are_taken():
    pandas = pytest.importorskip("pandas")
    series = pandas.Series(RUN.loss, index=RUN.steps * 10)
    assert diagnose(series, steps_per_epoch=600).verdict == "sawtooth"
    frame = pandas.DataFrame({"step": RUN.steps, "epoch": (RUN.steps - 1) // 60, "acc": 0.5,
                              "train_loss": RUN.loss, "split": "train"})  # fmt: skip
    found = diagnose(frame)
    assert (found.verdict, found.steps_per_epoch) == ("sawtooth", 60)


def test_a_dictionary_of_columns_is_taken():
    columns = {"iter": RUN.steps.tolist(), "loss": RUN.loss, "mode": ["train"] * RUN.loss.size}
    assert diagnose(columns, steps_per_epoch=60).verdict == "sawtooth"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("abc",), "loss must be an array of numbers"),
        (([1.0, 2j],), "loss must be an array of numbers"),
        (([[1.0, 2.0]],), "must be 2 numbers in a row"),
        (({"a": [1, 2]},), "no column reads as a training loss"),
    ],
)
def test_what_is_no_loss_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        diagnose(*arguments)


def test_steps_must_fit():
    with pytest.raises(ValueError, match="step must be 3 numbers in a row"):
        diagnose([1.0, 2, 3], steps=[1, 2])
    with pytest.raises(ValueError, match="steps must increase"):
        diagnose([1.0, 2, 3], steps=[1, 3, 2])
    with pytest.raises(ValueError, match="steps and epochs must be left out with a log"):
        diagnose(diagnose([1.0, 2, 3]).log, steps=[1, 2, 3])


def test_it_prints_as_the_command_does(tmp_path, capsys):
    path = tmp_path / "log.csv"
    path.write_text(
        "step,loss\n" + "\n".join(f"{s},{v:.5f}" for s, v in zip(RUN.steps, RUN.loss, strict=True))
    )
    found = diagnose(read_log(path), steps_per_epoch=60)
    main([str(path), "--steps-per-epoch", "60"])
    assert capsys.readouterr().out == str(found) == as_text(found)
    first, second, third = str(found).splitlines()[:3]
    assert first.startswith("Yes: the loss drops at ")
    assert second.startswith("It is a sawtooth: within an epoch the loss climbs back")
    assert third.startswith("Is it a bug? No: ")


def test_it_draws_itself_in_a_notebook():
    page = diagnose(RUN.loss, steps_per_epoch=60)._repr_html_()
    assert page.count("<svg") == 1
    assert "<strong>Yes: the loss drops" in page
    assert "_repr_html_" not in repr(diagnose([1.0]))


@pytest.mark.parametrize("points", [10, 100, 401, 2_000, 100_000])
@pytest.mark.parametrize("tooth", [0.0, 0.2])
def test_the_noise_of_a_point_is_right_for_any_density(points, tooth):
    epochs = 400 if points == 10 else 12 if points < 1_000 else 5
    rng = np.random.default_rng(0)
    steps = np.arange(1.0, points * epochs + 1)
    loss = 2 - 0.01 * steps / points + tooth * ((steps - 1) % points) / points
    loss += 0.05 * rng.normal(size=steps.size)
    assert noise_of(arrange(steps, loss, points, 1)) == pytest.approx(0.05, rel=0.05)
    assert diagnose(loss, steps_per_epoch=points).noise == pytest.approx(0.05, rel=0.05)


def test_numbers_are_read_as_people_write_them():
    found = diagnose(np.tile(RUN.loss, 1), steps=RUN.steps * 2_000, steps_per_epoch=120_000)
    assert "p < 0.001" in str(found)
    assert "8 epochs of 120,000 steps" in str(found)
    assert json.dumps(str(found)).isascii()
