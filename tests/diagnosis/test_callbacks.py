"""The callbacks with the real packages, where they are installed."""

import json

import numpy as np
import pytest

from esp_lib.diagnosis.callbacks.watch import PREFIX, PROBE, Watch
from esp_lib.diagnosis.trial.synthetic import make

pytestmark = pytest.mark.filterwarnings("ignore")  # those of the packages

SAMPLES, BATCH, EPOCHS = 256, 8, 4
STEPS = SAMPLES // BATCH


def test_the_watch_says_from_the_third_epoch_on_what_is_seen():
    run = make("sawtooth", 0, steps_per_epoch=60, epochs=6, size=4)
    said: list[str] = []
    watch = Watch(probe=lambda model: model, tell=said.append)
    logged = []
    for step, loss in zip(run.steps.tolist(), run.loss.tolist(), strict=True):
        assert watch.point(step, loss, 2 - step / 1e4) == {PROBE: 2 - step / 1e4}
        if step % 60 == 0:
            logged.append(watch.end_of_epoch(step // 60, 60))
    assert logged[:2] == [{}, {}]
    assert len(said) == 4
    assert said[-1].startswith("After epoch 6. Yes: the loss drops at ")
    assert "On the probe batch the loss drops by" in said[-1]
    assert logged[-1][PREFIX + "drop"] == watch.diagnosis.drop > 0
    assert abs(logged[-1][PREFIX + "probe_drop"]) < 1e-6
    assert watch.point(1, 9.0, None) == {}  # a step that is over


def test_the_watch_lets_a_run_go_on_that_has_diverged():
    said: list[str] = []
    watch = Watch(probe=lambda model: float("nan"), tell=said.append)
    for step in range(1, 121):
        watch.point(step, float("nan"), None)
        if step % 30 == 0:
            assert watch.end_of_epoch(step // 30, 30) == {}
    assert len(said) == 2
    assert said[0].startswith("After epoch 3. Cannot tell: ")


def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(SAMPLES, 6)).astype("float32")
    return x, (x @ rng.normal(size=(6, 1)) + 0.1 * rng.normal(size=(SAMPLES, 1))).astype("float32")


def test_hugging_faces_trainer(tmp_path):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    from esp_lib.diagnosis.callbacks.huggingface import SawtoothCallback

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.line = torch.nn.Linear(6, 1)

        def forward(self, x, labels):
            return {"loss": ((self.line(x) - labels) ** 2).mean()}

    x, y = map(torch.from_numpy, data())
    rows = [{"x": a, "labels": b} for a, b in zip(x, y, strict=True)]
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path),
        num_train_epochs=EPOCHS,
        per_device_train_batch_size=BATCH,
        logging_steps=1,
        report_to=[],
        save_strategy="no",
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = transformers.Trainer(model=Model(), args=arguments, train_dataset=rows)
    said: list[str] = []
    callback = SawtoothCallback(
        trainer, probe=lambda model: model(x[:8], y[:8])["loss"], tell=said.append
    )
    trainer.add_callback(callback)
    trainer.train()
    assert len(callback.watch.losses) == EPOCHS * STEPS
    assert len(said) == EPOCHS - 2
    assert callback.watch.diagnosis.steps_per_epoch == STEPS
    names = {name for row in trainer.state.log_history for name in row}
    assert {PROBE, PREFIX + "p_value"} <= names


def test_lightning(tmp_path):
    torch = pytest.importorskip("torch")
    lightning = pytest.importorskip("lightning.pytorch")
    from lightning.pytorch.loggers import CSVLogger

    from esp_lib.diagnosis.callbacks.lightning import SawtoothCallback

    class Model(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.line = torch.nn.Linear(6, 1)

        def training_step(self, batch, _):
            return ((self.line(batch[0]) - batch[1]) ** 2).mean()

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=0.01)

    x, y = map(torch.from_numpy, data())
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(x, y), batch_size=BATCH, shuffle=True
    )
    said: list[str] = []
    callback = SawtoothCallback(
        probe=lambda model: ((model.line(x[:8]) - y[:8]) ** 2).mean(), tell=said.append
    )
    trainer = lightning.Trainer(
        max_epochs=EPOCHS,
        accelerator="cpu",
        logger=CSVLogger(tmp_path),
        callbacks=[callback],
        enable_progress_bar=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        log_every_n_steps=1,
    )
    trainer.fit(Model(), loader)
    assert len(callback.watch.losses) == EPOCHS * STEPS
    assert len(said) == EPOCHS - 2
    logged = next(tmp_path.rglob("metrics.csv")).read_text().splitlines()[0]
    assert PROBE in logged
    assert PREFIX + "p_value" in logged


def test_keras(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    pytest.importorskip("torch")
    keras = pytest.importorskip("keras")
    from esp_lib.diagnosis.callbacks.keras import SawtoothCallback

    x, y = data()
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Input((6,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse")
    said: list[str] = []

    def probe(model):
        found = model(x[:8], training=False)
        return float(keras.ops.mean(keras.losses.mean_squared_error(y[:8], found)))

    callback = SawtoothCallback(probe, said.append)
    path = tmp_path / "log.csv"
    model.fit(
        x,
        y,
        batch_size=BATCH,
        epochs=EPOCHS,
        verbose=0,
        callbacks=[callback, keras.callbacks.CSVLogger(path)],
    )
    assert len(callback.watch.losses) == EPOCHS * STEPS
    assert len(said) == EPOCHS - 2
    header = path.read_text().splitlines()[0]
    assert {"loss", PROBE, PREFIX + "p_value"} <= set(header.split(","))
    means = np.array(callback.watch.losses).reshape(EPOCHS, STEPS).mean(axis=1)
    assert means == pytest.approx(model.history.history["loss"], rel=1e-3)
    assert json.dumps(callback.watch.diagnosis.headline)
