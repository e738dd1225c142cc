"""Early scores against final ones, in the library and in its explorer."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from esp_lib.finetuning.early_scores import early_and_final
from esp_lib.widgets import EarlyExplorer
from tests.finetuning.episodes import synthetic, tasks
from tests.node import ask


def test_the_line_parts_the_best_early_episodes_from_the_rest():
    score, loss = synthetic(40, 10, examples=10**6)
    found = early_and_final(score, loss, 0.3, 8)
    early, final = score[:, 2], score[:, -1]
    assert found.rho == pytest.approx(spearmanr(early, final).statistic)
    assert set(found.kept) == set(np.flatnonzero(early >= found.line))
    assert len(found.kept) == 8
    assert found.best_kept == final[found.kept].max()
    assert found.best == final.max()
    end = early_and_final(score, loss, 1.0, 1)
    assert end.rho == pytest.approx(1)
    assert end.best_kept == end.best


def test_what_is_wrong_is_named():
    score, loss = synthetic(4, 10)
    assert np.isnan(early_and_final(np.full((4, 10), 0.5), loss, 0.3, 1).rho)
    with pytest.raises(ValueError, match="p must be"):
        early_and_final(score, loss, 0.3, 5)
    with pytest.raises(ValueError, match="f must be k / 10"):
        early_and_final(score, loss, 0.33, 2)


def test_front_end_computes_as_the_library(node, tmp_path):
    explorer = EarlyExplorer(tasks(40, 10))
    looks = [[k, point, p] for k in range(3) for point in (1, 4, 10) for p in (1, 12, 40)]
    jobs = {"tasks": explorer.plot.data["tasks"], "looks": looks}
    answers = ask(node, tmp_path, "early", jobs, "widgets/finetuning/early.js")
    for answer, (k, point, p) in zip(answers, looks, strict=True):
        task = explorer.tasks[k]
        found = early_and_final(task.score, task.loss, point / 10, p)
        assert answer["kept"] == found.kept.tolist()
        values = (found.rho, found.line, found.best_kept, found.best)
        shown = [answer[key] for key in ("rho", "line", "bestKept", "best")]
        assert shown == pytest.approx(values, rel=1e-12)


def test_settings_reach_what_is_found_and_drawn():
    explorer = EarlyExplorer(tasks(40, 10), metric={"CoLA": "Matthews correlation"})
    assert explorer.settings == {"task": "SST-2", "f": 0.3, "p": 12}
    explorer.set(task="CoLA", f=0.52, p=5)
    assert explorer.point == 5
    task = explorer.task
    assert explorer.found.rho == early_and_final(task.score, task.loss, 0.5, 5).rho
    ax = explorer.draw_static()
    assert ax.get_xlabel() == "Matthews correlation after 1.5 epochs"
    kept = next(line for line in ax.get_lines() if line.get_label() == "continued")
    assert max(kept.get_ydata()) == explorer.found.best_kept
    with pytest.raises(ValueError, match="p must be"):
        explorer.set(p=41)
