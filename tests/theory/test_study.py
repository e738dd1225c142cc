"""What chapter 6 measures of runs, maps and remedies: small cases with known answers."""

import numpy as np
import pytest

from esp_lib import Adam, Curve, figures
from esp_lib.theory.against import compare, pick
from esp_lib.theory.figures import broad_and_thin, draw_cut, draw_maps, draw_remedies, plain_log
from esp_lib.theory.maps import AmplitudeMap, amplitude_map, onset
from esp_lib.theory.prediction import predict
from esp_lib.theory.remedies import LinearDecay, Remedied, changes, epoch_ends
from esp_lib.theory.study import FLOOR, TheoryStudy, rise_of

SEEDS = np.arange(2)


def test_the_settled_part_is_an_even_number_of_epochs():
    for epochs in range(12, 31):
        study = TheoryStudy.of(SEEDS, epochs)
        assert study.skip % 2 == 0
        assert (study.epochs - study.skip) % 2 == 0
        assert study.epochs in (epochs - 1, epochs)


def test_runs_are_made_of_every_problem_and_grouped_ones():
    study = TheoryStudy.of(SEEDS, 12)
    curve = study.train(study.adam([0.8]), epochs=1, batch_size=1000)
    assert curve.loss.shape == (2, 1, 10)
    pairs = study.grouped(2, 40)
    assert {tuple(np.bincount(row)[:20]) for row in pairs.coordinate} == {(2,) * 20}
    assert (pairs.b == FLOOR).all()
    excess = study.settled_excess(1, (0.9, 0.8), steps_per_epoch=4, epochs=4, batch_size=5)
    assert excess.shape == (2,)
    assert (excess > 0).all()


def test_levels_teeth_and_folds_of_a_made_curve():
    study = TheoryStudy(SEEDS, epochs=4, skip=2)
    tooth = np.arange(20) / 20
    curve = Curve(np.concatenate([tooth + 9, tooth + 9, tooth, tooth + 1]), 20)
    assert study.level(curve) == pytest.approx(tooth.mean() + 0.5)
    fold = study.fold(curve, 2)
    assert fold == pytest.approx(np.concatenate([tooth, tooth + 1]).reshape(20, 2).mean(axis=1))
    assert rise_of(tooth) == pytest.approx(0.9)
    ends = epoch_ends(curve, 2)
    assert (ends.start, ends.end, ends.mean) == pytest.approx((0.525, 1.425, 0.975))


def test_a_prediction_is_held_against_runs():
    study = TheoryStudy(SEEDS, epochs=4, skip=2)
    rule = study.adam(np.array([0.999, 0.8])[:, None], np.array([1e-8]))
    runs = study.train(rule, batch_size=500)
    own = predict(rule, epochs=4, batch_size=500)
    setting = {"order": "reshuffle", "batch_size": 500, "betas": (0.999, 0.8), "floors": (1e-8,)}
    found = compare(study, runs, own, **setting)
    assert [(one.beta2, one.has_tooth, one.drifts) for one in found] == [
        (0.999, True, False), (0.8, True, True),
    ]  # fmt: skip
    levels = study.level(runs)[:, 1, 0]
    assert found[1].level == pytest.approx(levels.mean())
    assert found[1].level_error == pytest.approx(found[1].own_level / levels.mean() - 1)
    assert len(found[0].row()) == 11
    assert pick(found, "beta2", lambda one: one.drifts).tolist() == [0.8]
    same = compare(study, runs, Curve(runs.loss.mean(axis=0), 20), **setting)
    assert max(one.curve_rms for one in same) < 1e-12


def test_the_onset_is_where_the_amplitude_doubles():
    betas = np.linspace(0.5, 0.9, 5)
    teeth = np.array([8.0, 4, 4, 1, 1])
    assert onset(teeth, betas) == pytest.approx(0.75)  # half way from 4 to 1 in the logarithm
    assert np.isnan(onset(np.ones(5), betas))


def test_maps_are_simulated_predicted_and_drawn():
    side = np.array([0.9, 0.99])
    rules = (Adam(lr=0.06, beta1=0.9, beta2=side[:, None], eps=[e, 4 * e]) for e in (1e-8, 4e-8))
    found = amplitude_map(*rules, problems=2)
    assert found.simulated.shape == found.predicted.shape == (2, 2)
    assert found.tame.all()
    np.testing.assert_allclose(found.predicted, found.simulated, rtol=0.5)
    alike = Adam(lr=0.06, beta1=0.9, beta2=np.full((2, 2), 0.9), eps=1e-8)
    assert np.unique(amplitude_map(alike, alike, problems=1).simulated).size == 4  # problems differ
    panels = draw_maps(found, side, side, [(side, side, "-")], "x", log_x=False)
    text = [figures.show(*panels, name="a", number="1", caption="c", alt="a").record["csv"]]
    panels = [draw_cut("(d)", found, (slice(None), 0), side, {"K* = T": 0.95})]
    text += [figures.show(*panels, name="b", number="1", caption="c", alt="a").record["csv"]]
    assert repr(float(np.log10(found.simulated[0, 0]))) in text[0]
    assert repr(float(found.predicted[1, 0])) in text[1]
    gone = AmplitudeMap(np.array([[200.0]]), np.zeros((1, 1)), np.ones((1, 1)))
    assert not gone.tame.any()


def test_the_rate_decays_to_nothing_and_changes_are_drawn_as_rows():
    decayed, usual = (kind(lr=0.06).two_moment(10) for kind in (LinearDecay, Adam))
    np.testing.assert_allclose(decayed.scale_m / usual.scale_m, np.linspace(1, 0.1, 10))
    rules = changes(0.8, lr=0.06, beta1=0.9, eps=1e-8)
    assert rules["fixed order"].settings == {"order": "fixed"}
    assert rules["learning rate / 4"].rule.lr == pytest.approx(0.015)
    own = epoch_ends(Curve(np.arange(20.0), 10), 1)
    rows = {"learning rate / 4": Remedied(1.0, 2.0, 1.5, own, 0.1),
            "AMSGrad": Remedied(1.0, 1.0, 1.0, None, 0.1)}  # fmt: skip
    ax = draw_remedies(rows, "(a)", "blue", (1, 2))
    assert [text.get_text() for text in ax.get_yticklabels()] == ["lr / 4", "AMSGrad"]
    assert rows["learning rate / 4"].rise == 1
    broad_and_thin(ax, [0, 1], [1, 1], [1, 2], "red", "β₂ = 0.8")
    assert [line.get_label() for line in ax.get_lines()[-2:]] == ["β₂ = 0.8, simulated", "β₂ = 0.8"]
    plain_log(ax, (1, 2))
    assert [text.get_text() for text in ax.get_yticklabels()] == ["1", "2"]
