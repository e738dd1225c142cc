"""The diagnosis on logs whose answer is known: synthetic ones, and runs of the paper's toy."""

import json
import math
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import numpy as np
import pytest

from esp_lib import Adam, QuadraticProblem, measure, simulate
from esp_lib.diagnosis.command import EXIT, main
from esp_lib.diagnosis.diagnosis import diagnose
from esp_lib.diagnosis.report import RATES, as_json, as_text
from esp_lib.diagnosis.signs import features as signs
from esp_lib.diagnosis.signs.grid import arrange, coarsen, tooth_of
from esp_lib.diagnosis.signs.overfitting import overfitting
from esp_lib.diagnosis.signs.period import GUESS, LEVEL, find_period
from esp_lib.diagnosis.signs.repetition import comes_again
from esp_lib.diagnosis.signs.wave import wave_of
from esp_lib.diagnosis.trial.synthetic import RIGHT, as_log, draw, make, smooth
from esp_lib.diagnosis.trial.synthetic_files import corpus as write_corpus
from esp_lib.diagnosis.trial.trial import (
    EACH,
    MIN_POINTS,
    load_trial,
    rates,
    run_trial,
    save_trial,
    trial_path,
)
from esp_lib.diagnosis.verdict import AGAIN, CAUSES, VERDICTS, WAVE, WAVE_SURE
from esp_lib.diagnosis.wording import WORDING, advice
from esp_lib.logs.formats import LogError
from esp_lib.logs.read import parse_log, read_log

BOOK = Path(__file__).resolve().parents[2] / "book"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    return folder, write_corpus(folder)


# ------------------------------------------------------------------------------- verdict and cause

PLAIN = {  # settings at which a label is plain to see
    "sawtooth": {"size": 3},
    "smooth": {},
    "fixed order": {},
    "periodic order": {"size": 4},
    "schedule": {"size": 12, "detail": 1, "epochs": 12},
    "running average": {},
    "evaluation": {"size": 8, "detail": 1},
    "staircase": {"size": 4},
}


@pytest.mark.parametrize("label", PLAIN)
@pytest.mark.parametrize("seed", range(3))
def test_plain_cases_are_told_apart(label, seed):
    run = make(label, seed, **PLAIN[label])
    found = diagnose(as_log(run, 1), run.steps_per_epoch)
    assert (found.verdict, found.cause) == RIGHT[label]


@pytest.mark.parametrize("label", ["sawtooth", "running average", "staircase"])
def test_and_so_they_are_without_the_epoch_length(label):
    run = make(label, 5, **PLAIN[label])
    found = diagnose(as_log(run, 1))
    assert (found.verdict, found.cause) == RIGHT[label]
    assert found.steps_per_epoch == pytest.approx(run.steps_per_epoch, rel=0.005)
    assert found.steps_per_epoch_source == "estimated"


@pytest.fixture(scope="module")
def small_trial():
    return run_trial(range(1_000, 1_012))


def test_labelled_logs(small_trial):
    """A few of each label, as the benchmark draws them; it counts thousands."""
    for given in (True, False):
        part = small_trial.of(small_trial.given == given)
        assert part.alarms.sum() <= 0.02 * (~part.teeth).sum()
        assert (part.verdict[part.teeth] == VERDICTS.index("none")).sum() <= 1
        named = part.of(part.cause >= 0)
        assert named.causes_right().mean() > (0.9 if given else 0.8)


def test_teeth_are_found_where_there_are_points_enough():
    seeds = range(1_000, 1_060)
    drawn = [(draw("sawtooth", seed), seed) for seed in seeds]
    enough = [
        run
        for (run, s), _ in drawn
        for per_epoch in [s["steps_per_epoch"] / s["every"]]
        if per_epoch >= 12 and s["epochs"] >= 5 and per_epoch * (s["epochs"] - 1) >= MIN_POINTS
    ]
    every = [int(run.steps[0]) for run in enough]
    assert len(enough) > 5
    for known, least in ((True, 0.93), (False, 0.7)):
        found = [
            diagnose(as_log(run, k), run.steps_per_epoch if known else None).verdict
            for run, k in zip(enough, every, strict=True)
        ]
        assert found.count("sawtooth") >= least * len(enough)


def test_a_trial_is_counted_and_recorded(small_trial, tmp_path):
    counts = small_trial.counts("verdict")
    assert counts.sum(axis=1).tolist() == [24] * len(RIGHT)
    assert small_trial.counts("cause").sum() == small_trial.label.size
    teeth = counts[list(RIGHT).index("sawtooth")]
    assert teeth[VERDICTS.index("sawtooth")] == (small_trial.found & small_trial.teeth).sum()
    save_trial(small_trial, {"commit": "x"}, tmp_path / "trial.npz")
    again, made = load_trial(tmp_path / "trial.npz")
    assert made == {"commit": "x"}
    assert np.array_equal(again.p_value, small_trial.p_value, equal_nan=True)
    content = bytearray((tmp_path / "trial.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "trial.npz").write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        load_trial(tmp_path / "trial.npz")


def test_the_recorded_trial_lies_with_the_recorded_runs(monkeypatch, tmp_path):
    monkeypatch.setenv("ESP_RESULTS", str(tmp_path))
    assert trial_path() == tmp_path / "diagnosis.npz"
    with pytest.raises(FileNotFoundError, match="ESP_RESULTS names the folder of records"):
        load_trial(trial_path())


def test_the_recorded_trial_is_what_the_code_finds_now():
    recorded, made = load_trial(trial_path())
    assert recorded.label.size == 2 * EACH * len(RIGHT)
    assert "changes" not in made["commit"]
    seed = int(recorded.seed[len(recorded.seed) // 2])
    was, now = recorded.of(recorded.seed == seed), run_trial([seed])
    assert np.array_equal(was.verdict, now.verdict)
    assert np.array_equal(was.cause, now.cause)
    assert now.p_value == pytest.approx(was.p_value, rel=1e-6, nan_ok=True)


def test_reports_state_how_often_the_recorded_trial_was_wrong():
    assert rates(load_trial(trial_path())[0]) == RATES
    run = make("sawtooth", 0, size=3)
    known, estimated = (diagnose(as_log(run), length) for length in (200, None))
    for found, name in ((known, "known"), (estimated, "estimated")):
        counted = RATES[name]
        line = as_text(found).splitlines()[3]
        assert line.startswith(
            f"How often this is wrong: of {counted['nothing']:,} synthetic logs with neither "
            f"sawtooth nor staircase, {counted['alarms']} were said to have one ("
        )
        assert f"with the epoch length {name}" in line
        assert line in found._repr_html_()
        assert json.loads(as_json(found))["how_often_wrong"] == line
    none = as_text(diagnose(as_log(make("smooth", 0)), 200))
    assert f"{RATES['known']['denied']} were said to have neither" in none
    short = as_text(diagnose(run.loss[:150]))
    assert f"{RATES['estimated']['missed']} got no answer" in short


@pytest.mark.parametrize(
    ("order", "beta2", "verdict", "cause"),
    [
        ("reshuffle", 0.999, "sawtooth", "reshuffling"),
        ("reshuffle", 0.8, "sawtooth", "reshuffling"),
        ("fixed", 0.999, "none", "fixed order"),
        ("fixed", 0.8, "none", "fixed order"),
        ("reverse", 0.999, "none", "fixed order"),
        ("replacement", 0.999, "none", None),
        ("replacement", 0.8, "none", None),
    ],
)
def test_runs_of_the_toy(order, beta2, verdict, cause):
    rule = Adam(lr=0.06, beta1=0.9, beta2=beta2)
    curve = simulate(QuadraticProblem.sample(seed=3), rule, order=order, seed=3)
    log = parse_log("\n".join(map(repr, curve.loss.tolist())))
    found = diagnose(log, curve.steps_per_epoch)
    assert (found.verdict, found.cause) == (verdict, cause)
    if verdict == "sawtooth":
        assert found.p_value == pytest.approx(float(measure(curve).p_value), rel=1e-6)
        assert found.amplitude == pytest.approx(float(measure(curve).amplitude), rel=1e-9)
        searched = diagnose(log)
        assert searched.verdict == "sawtooth"
        assert searched.steps_per_epoch == 100


def test_every_log_of_the_corpus_gets_the_verdict_of_its_label(corpus):
    folder, files = corpus
    told = 0
    for name, (run, arguments) in files.items():
        found = diagnose(read_log(folder / name, **arguments))
        assert found.verdict in ("cannot tell", RIGHT[run.label][0]), name
        told += found.verdict != "cannot tell"
        if found.verdict != "cannot tell":
            assert found.cause == RIGHT[run.label][1], name
    assert told >= 12


# ------------------------------------------------------------------------------- cannot tell


def rows(loss, every=1):
    return "step,loss\n" + "\n".join(f"{every * i},{v:.5f}" for i, v in enumerate(loss, 1))


@pytest.mark.parametrize(
    ("loss", "length", "words"),
    [
        (np.linspace(3, 2, 50), None, "does not say how long an epoch is"),
        (np.linspace(3, 2, 50), 2, "points an epoch"),
        (np.linspace(3, 2, 50), 60, "within its first epoch"),
        (np.sin(np.arange(50)), 30, "could be measured: 1"),
        (np.random.default_rng(0).normal(size=24), 6, "too short or too coarse"),
    ],
)
def test_it_says_what_is_missing(loss, length, words):
    found = diagnose(parse_log(rows(loss)), length)
    assert found.verdict == "cannot tell"
    assert found.cause is None
    assert words in " ".join([found.headline, *found.reasons])


def test_smoothed_logs_are_not_judged():
    run = make("smoothed", 0, steps_per_epoch=100, epochs=10, detail=1)
    found = diagnose(as_log(run, 1), 100)
    assert found.verdict == "cannot tell"
    assert found.correlation > 0.8
    assert "Log the raw loss" in found.reasons[-1]


def test_an_argument_that_contradicts_the_log_is_named(corpus):
    log = read_log(corpus[0] / "metrics.csv")
    found = diagnose(log, 45)
    assert "45 steps an epoch were asked for; the log itself speaks of 60" in found.reasons[0]
    for bad in (0, -3, math.inf):
        with pytest.raises(ValueError, match="steps_per_epoch must be finite"):
            diagnose(log, bad)


# -------------------------------------------------------------------------------------- the parts


def test_a_running_mean_is_undone_exactly():
    loss = np.random.default_rng(0).normal(2, 0.1, size=600)
    means = (loss.reshape(6, 100).cumsum(axis=1) / np.arange(1, 101)).ravel()
    steps = np.arange(1.0, 601)
    undone = signs.undo_running_mean(steps, means, 100)
    assert undone.loss == pytest.approx(loss, abs=1e-9)
    assert undone.noise_ratio > 20
    assert 0.5 < undone.undone_ratio < 2
    every = signs.undo_running_mean(steps[4::5], means[4::5], 100)
    assert every.loss == pytest.approx(loss.reshape(-1, 5).mean(axis=1), abs=1e-9)


def test_a_tooth_under_a_running_mean_is_found():
    run = make("sawtooth", 0, steps_per_epoch=100, epochs=10, size=3)
    means = (run.loss.reshape(10, 100).cumsum(axis=1) / np.arange(1, 101)).ravel()
    found = diagnose(parse_log("\n".join(f"{v:.8f}" for v in means)), 100)
    assert (found.verdict, found.cause) == ("sawtooth", "reshuffling")
    assert "taken apart" in found.reasons[0]
    direct = diagnose(as_log(run, 1), 100)
    assert found.amplitude == pytest.approx(direct.amplitude, rel=0.01)


def test_noise_that_repeats_correlates():
    rng = np.random.default_rng(0)
    steps = np.arange(1.0, 1_001)
    fixed = np.tile(rng.normal(size=100), 10)
    fresh = rng.normal(size=1_000)
    same = signs.noise_repeats(arrange(steps, fixed + 0.5 * fresh, 100, 1))
    assert same.correlation == pytest.approx(1 / 1.25, abs=0.06)
    none = signs.noise_repeats(arrange(steps, fresh, 100, 1))
    assert abs(none.correlation) < 4 * none.error
    turned = np.concatenate([fixed[:100], fixed[99::-1]] * 5)
    assert signs.noise_repeats(arrange(steps, turned, 100, 1)).every == 2
    other = arrange(steps[6::7], fresh[6::7], 100, 7)  # the same steps after seven epochs
    assert math.isnan(signs.noise_repeats(other).correlation)


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.9])
def test_correlation_of_neighbours(keep):
    noise = smooth(np.random.default_rng(1).normal(size=4_000), keep)
    teeth = np.tile(np.linspace(0, 1, 200) ** 0.5, 20)
    grid = arrange(np.arange(1.0, 4_001), teeth + noise, 200, 1)
    assert signs.correlation(grid) == pytest.approx(keep, abs=0.08)


def test_the_grid_measures_as_the_curve_does():
    run = make("sawtooth", 0, steps_per_epoch=120, epochs=7)
    grid = arrange(run.steps.astype(float), run.loss, 120, 1)
    direct, folded = measure(run.loss, 120), tooth_of(grid)
    for name in ("drop", "rise", "amplitude", "p_value", "noise"):
        assert getattr(folded, name) == pytest.approx(getattr(direct, name), rel=1e-9), name
    joined = coarsen(grid, 6)
    assert joined.y == pytest.approx(run.loss.reshape(7, 20, 6).mean(axis=2))


def test_points_that_span_a_boundary_are_left_out():
    steps = np.arange(7.0, 301, 7)
    grid = arrange(steps, np.where(np.ceil(steps / 100) % 2, 1.0, 5.0), 100, 7)
    assert np.isfinite(grid.y).any()
    assert np.unique(grid.y[::2][np.isfinite(grid.y[::2])]).tolist() == [1.0]
    spans = np.floor((steps - 7) / 100) != np.floor((steps - 1) / 100)
    assert np.isfinite(grid.y).sum() <= steps.size - spans.sum()


@pytest.mark.parametrize(
    ("label", "seed", "reason"),
    [
        ("fixed order", 300_137, "comes again"),  # drops at a fifth of the epoch
        ("periodic order", 310_035, "wave"),
        ("periodic order", 310_034, "wave"),
        ("schedule", 90_076, "irregular"),  # two steps down, of unlike size
        ("schedule", 300_029, "irregular"),  # six drops of ten
        ("running average", 310_088, "uneven"),
    ],
)
def test_an_estimated_length_must_be_earned(label, seed, reason):
    run, settings = draw(label, seed)
    found = diagnose(as_log(run, settings["every"]))
    assert (found.verdict, found.why[-1][0]) == ("cannot tell", reason)


def test_a_wave_is_told_from_teeth_of_any_curvature():
    rng = np.random.default_rng(0)
    phase = (np.arange(400) % 40 + 0.5) / 40
    shapes = {
        "straight": phase, "concave": 1 - (1 - phase) ** 2, "convex": phase**1.7,
        "saturating": 1 - np.exp(-5 * phase), "wave": 0.5 * np.sin(2 * np.pi * (phase - 0.5)),
    }  # fmt: skip
    for name, shape in shapes.items():
        grid = arrange(np.arange(1.0, 401), shape + 0.1 * rng.normal(size=400), 40, 1)
        found, tooth = wave_of(grid, 0.1), tooth_of(grid)
        assert (found.size > max(WAVE * tooth.drop, WAVE_SURE * found.error)) == (name == "wave")
    assert wave_of(arrange(np.arange(1.0, 401), shapes["wave"], 40, 1), 0.1).size == pytest.approx(
        0.5 * 7 / np.pi * (15 / np.pi**2 - 1), rel=0.02
    )  # Legendre's coefficient of a sine
    assert math.isnan(wave_of(arrange(np.arange(1.0, 21), np.arange(20.0), 5, 1), 0.1).size)


def test_noise_that_comes_again_is_found_at_any_distance():
    rng = np.random.default_rng(0)
    steps = np.arange(1.0, 1_001)
    fixed, fresh = np.tile(rng.normal(size=125), 8), rng.normal(size=1_000)
    teeth = 3 * (steps % 25) / 25
    again = comes_again(steps, fixed + 0.5 * fresh + teeth, 25.0, 1.0)
    assert again.steps % 125 == 0
    assert again.correlation == pytest.approx(1 / 1.25, abs=0.1)
    assert again.correlation > AGAIN * again.error
    none = comes_again(steps, fresh + teeth, 25.0, 1.0)  # teeth repeat, noise does not
    assert none.correlation < AGAIN * none.error
    assert math.isnan(comes_again(steps[:30], fresh[:30], 25.0, 1.0).correlation)


@pytest.mark.parametrize("length", [50, 313, 1_000])
def test_epoch_length_is_estimated(length):
    run = make("sawtooth", 1, steps_per_epoch=length, epochs=12, size=3)
    period = find_period(run.steps.astype(float), run.loss, 1)
    assert period.steps == pytest.approx(length, abs=max(1, 2 * period.error))
    assert period.p_value < 1e-6
    none = make("smooth", 1, steps_per_epoch=length, epochs=12)
    guessed = find_period(none.steps.astype(float), none.loss, 1)
    assert guessed.p_value > 100 * LEVEL
    assert math.isnan(guessed.steps) == (guessed.p_value >= GUESS)


def test_overfitting_is_told_apart_from_the_teeth():
    steps = np.arange(1.0, 1_001)
    loss = 3 - steps / 500
    at = np.arange(100.0, 1_001, 100)
    rises = 2 + 0.5 * (at / 1_000 - 0.4) ** 2
    assert overfitting(steps, loss, (at, rises)).verdict == "rises while training falls"
    assert overfitting(steps, loss, (at, rises)).best_step == 400
    assert overfitting(steps, loss, (at, 3 - at / 900)).verdict == "does not rise"
    assert overfitting(steps, loss, None).verdict == "cannot tell"
    assert overfitting(steps, steps / 500, (at, rises)).verdict == "cannot tell"


def test_steps_of_the_rate_are_told_from_smooth_schedules():
    x = np.arange(400)
    assert signs.rate_steps(1e-3 * 0.1 ** (x // 100)).tolist() == [100, 200, 300]
    assert signs.rate_steps(1e-3 * (1 + np.cos(np.pi * x / 401))).size == 0
    assert signs.rate_steps(np.minimum(x / 50, 1.0)).size == 0
    assert signs.rate_steps(None).size == 0


# ------------------------------------------------------------------------------- report and command


def slug(title: str) -> str:
    return re.sub("[^a-z0-9]+", "-", title.lower()).strip("-")


def test_every_cause_has_advice_whose_links_lead_somewhere():
    assert set(WORDING["advice"]) == {*CAUSES, "null"}
    assert {*CAUSES, "none", "cannot tell"} <= set(WORDING["bug"])
    for what, link in (line for cause in (*CAUSES, None) for line in advice(cause)):
        page, _, anchor = link.partition("#")
        cells = nbformat.read(BOOK / page.replace(".html", ".ipynb"), as_version=4).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        titles = {slug(title) for title in re.findall(r"^#+ (.+)$", text, flags=re.M)}
        assert not anchor or anchor in titles, link
        assert what.endswith(".")


@pytest.mark.parametrize(
    ("name", "status"), [("trainer_state.json", 0), ("keras.log", 1), ("nanogpt.log", 3)]
)
def test_command(corpus, capsys, name, status):
    path = str(corpus[0] / name)
    assert main([path]) == status
    text = capsys.readouterr().out
    assert main([path, "--json"]) == status
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)  # no NaN
    keys = {"verdict", "p_value", "amplitude", "steps_per_epoch", "cause", "reasons"}
    assert keys <= found.keys()
    assert EXIT[found["verdict"]] == status
    assert all(reason in text for reason in found["reasons"])
    assert text.startswith({0: "Yes: the loss drops", 1: ("Only", "No:"), 3: "Cannot tell"}[status])


def test_an_epoch_length_that_is_not_certain_is_called_a_guess():
    run, settings = draw("sawtooth", 300_061)  # a tooth of 1.5 times the noise, 22 points an epoch
    found = diagnose(as_log(run, settings["every"]))
    assert found.steps_per_epoch == run.steps_per_epoch
    assert found.steps_per_epoch_source == "guessed"
    assert 0.9 < found.steps_per_epoch_confidence < 1
    assert found.verdict == "cannot tell"
    assert "but that may be chance (p = " in str(found)
    assert "(a guess from the curve)" in str(found)


def test_command_draws(corpus, tmp_path, capsys):
    for name in ("metrics.csv", "history.json"):
        out = tmp_path / f"{name}.svg"
        main([str(corpus[0] / name), "--plot", str(out)])
        assert out.read_text(encoding="utf8").rstrip().endswith("</svg>")
    assert main([str(corpus[0] / "metrics.csv"), "--plot", "x.txt"]) == 2
    assert "--plot must name an .svg" in capsys.readouterr().err


def test_command_refuses_in_one_line(tmp_path, capsys):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n", encoding="utf8")
    wrong = (["--column", "c"], ["--pattern", "("], ["--log-every", "0"])
    for arguments in (["x.csv"], ["missing"], *(["x.csv", *more] for more in wrong)):
        assert main([str(tmp_path / arguments[0]), *arguments[1:]]) == 2
        error = capsys.readouterr().err
        assert error.startswith("esp-diagnose: ")
        assert error.count("\n") == 1
    with pytest.raises(SystemExit) as stop:
        main(["--no-such-option"])
    assert stop.value.code == 2


def test_command_documents_its_exit_status_and_reads_standard_input(corpus):
    command = [sys.executable, "-W", "error", "-m", "esp_lib.diagnosis.command"]
    asked = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True)
    assert (
        "exit status: 0 sawtooth, 4 staircase, 1 neither, 3 cannot tell, 2 wrong use"
        in asked.stdout
    )
    data = (corpus[0] / "metrics.csv").read_bytes()
    done = subprocess.run([*command, "-"], input=data, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_mangled_logs_are_diagnosed_or_refused(corpus):
    rng = random.Random(2)
    contents = [path.read_bytes() for path in sorted(corpus[0].iterdir())]
    verdicts = set()
    for trial in range(150):
        data = bytearray(contents[trial % len(contents)])
        for _ in range(rng.randrange(1, 12)):
            at = rng.randrange(len(data))
            if rng.random() < 0.5:
                del data[at : at + rng.randrange(1, len(data) // 4)]
            else:
                data[at : at + 1] = rng.choice([b"1e30", b"-9", b"nan", b"\n", b"0", b"7"])
            if len(data) < 50:
                break
        try:
            log = parse_log(bytes(data))
        except LogError:
            continue
        found = diagnose(log, rng.choice([None, None, 7, 60.5, 1e6]))
        json.loads(as_json(found), parse_constant=pytest.fail)
        assert as_text(found)
        assert found.verdict in VERDICTS
        verdicts.add(found.verdict)
    assert verdicts == set(VERDICTS)


EXTREMES = {
    "constant": np.full(300, 2.5),
    "zeros": np.zeros(300),
    "huge": 1e300 * np.cos(np.arange(300.0)),
    "tiny": 1e-300 * np.cos(np.arange(300.0)),
    "one point": np.array([1.0]),
    "two points": np.array([1.0, 2.0]),
    "exact tooth": np.tile(np.linspace(0, 1, 30), 10),
    "alternating": np.tile([1.0, -1.0], 150),
    "diverged": np.exp(np.arange(300.0) * 2),
}


@pytest.mark.parametrize("name", EXTREMES)
@pytest.mark.parametrize("length", [None, 1, 3, 30, 31.7, 299, 1e9])
def test_extremes(name, length):
    text = "\n".join(map(repr, EXTREMES[name].tolist()))
    if name == "huge":
        with pytest.raises(LogError, match="no finite loss"):
            parse_log(text)
        return
    log = parse_log(text)
    found = diagnose(log, length)
    json.loads(as_json(found), parse_constant=pytest.fail)
    if name == "exact tooth" and length == 30:
        assert found.verdict == "sawtooth"
    if name in ("constant", "zeros"):
        assert found.verdict != "sawtooth"


@pytest.mark.timing
def test_a_million_rows_take_seconds():
    rng = np.random.default_rng(0)
    step = np.arange(1, 1_000_001)
    loss = 2 + 0.1 * ((step - 1) % 10_000) / 1e4 + 0.1 * rng.normal(size=step.size)
    data = ("step,loss\n" + "\n".join(f"{s},{v:.5f}" for s, v in enumerate(loss, 1))).encode()
    began = time.process_time()
    found = diagnose(parse_log(data))
    assert time.process_time() - began < 4
    assert (found.verdict, found.steps_per_epoch) == ("sawtooth", 10_000)


def test_a_pattern_without_end_ends_in_a_message(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("esp_lib.diagnosis.command.PATTERN_SECONDS", 0.2)
    log = tmp_path / "train.log"
    log.write_text("a" * 60 + "!\n")
    start = time.perf_counter()
    assert main([str(log), "--pattern", "(?P<loss>(a+)+)$"]) == 2
    assert time.perf_counter() - start < 10
    assert "--pattern took more than 0.2 s" in capsys.readouterr().err
    log.write_text("loss 1.0\n" * 30)
    assert main([str(log), "--pattern", "loss (?P<loss>.*)"]) == EXIT["cannot tell"]
    time.sleep(0.3)  # no alarm is left
