"""Figures: the artists hold the data, and what `show` writes is fit for a page."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from esp_lib import Curve, figures
from esp_lib.widgets.sawtooth import color_of
from tests.conftest import ROOT


@pytest.fixture
def curves() -> dict[str, Curve]:
    runs = np.random.default_rng(0).normal(size=(5, 40)) + np.linspace(5, 1, 40)
    return {"β₂ = 0.999": Curve(runs, 10), "β₂ = 0.8": Curve(runs + 1, 10)}


def test_loss_curves_draw_the_median_and_the_band(curves):
    ax = figures.loss_curves(curves, every=5)
    lines = {line.get_label(): line for line in ax.get_lines()}
    for label, curve in curves.items():
        assert lines[label].get_ydata() == pytest.approx(np.median(curve.every(5), axis=0))
        assert lines[label].get_xdata() == pytest.approx(curve.epochs(5))
    low, high = np.percentile(curves["β₂ = 0.8"].every(5), [10, 90], axis=0)
    corners = ax.collections[1].get_paths()[0].vertices
    assert corners[:, 1].min() == pytest.approx(low.min())
    assert corners[:, 1].max() == pytest.approx(high.max())


def test_epoch_boundaries_are_drawn_between_epochs(curves):
    ax = figures.loss_curves(curves)
    vertical = [line.get_xdata()[0] for line in ax.get_lines() if len(set(line.get_xdata())) == 1]
    assert vertical == [1, 2, 3]


def test_published_values_are_hollow_circles(curves):
    ax = figures.loss_curves(curves, published={"β₂ = 0.8": [4.0, 3.0, 2.0, 1.0]})
    (circles,) = (line for line in ax.get_lines() if line.get_marker() == "o")
    assert circles.get_ydata() == pytest.approx([4, 3, 2, 1])
    assert circles.get_markerfacecolor() == "none"


def test_labels_do_not_overlap(curves):
    same = {f"run {i}": curves["β₂ = 0.8"] for i in range(4)}
    ax = figures.loss_curves(same)
    ax.figure.draw_without_rendering()
    heights = sorted(t.get_window_extent().y0 for t in ax.texts)
    assert np.diff(heights).min() > 8.5


def test_lines_are_named_by_choice_or_all_that_join_points(curves):
    ax = figures.panel()
    for label in ("mean", "one run"):
        ax.plot([0, 1], [0, 1], label=label)
    ax.plot([0, 1], [0, 1], "o", label="published")
    ax.axhline(0.5, label="half")
    figures.label_lines(ax)
    assert {text.get_text() for text in ax.texts} == {"mean", "one run"}
    figures.label_lines(ax, "mean")
    assert [text.get_text() for text in ax.texts[2:]] == ["mean"]
    with pytest.raises(ValueError, match=r"labels must be of lines, .*, got \['median'\]"):
        figures.label_lines(ax, "median")


def test_published_against_ours_draws_z():
    ax = figures.published_against_ours(
        np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.5, 2.0], [3.0, 5.0]]), np.full((2, 2), 0.5)
    )
    points = ax.get_lines()[-1]
    assert points.get_ydata() == pytest.approx([-1, 0, 0, -2])
    assert np.rint(points.get_xdata()).tolist() == [1, 2, 1, 2]  # the epochs
    assert len(set(points.get_xdata())) == 4  # runs stand side by side


def test_a_span_joins_two_points_and_names_them():
    ax = figures.panel()
    figures.span(ax, (1, 2), (1, 5), "drop")
    figures.span(ax, (0, 1), (1, 1), "tooth")
    upright, drop, level, tooth = ax.texts
    assert (upright.xy, upright.xyann) == ((1, 5), (1, 2))
    assert (level.xy, level.xyann) == ((1, 1), (0, 1))
    assert (drop.get_text(), drop.xy, drop.get_ha()) == ("drop", (1, 3.5), "left")
    assert (tooth.get_text(), tooth.xy, tooth.get_va()) == ("tooth", (0.5, 1), "top")


def test_shown_page_is_well_formed_and_says_what_it_shows(curves):
    shown = figures.show(
        figures.loss_curves(curves),
        figures.loss_curves(curves),
        name="fig-x",
        number="9.1",
        caption='Two "panels" & a band.',
        alt="Falls <fast>.",
    )
    root = ET.fromstring(shown.page)
    assert root.get("id") == "fig-x"
    assert root.find("div").get("aria-label") == "Falls <fast>."
    assert "".join(root.find("figcaption").itertext()) == 'Figure 9.1. Two "panels" & a band.'
    ids = re.findall(r'\bid="([^"]+)"', shown.page)
    assert len(ids) == len(set(ids))
    for target in re.findall(r"url\(#([^)]+)\)", shown.page):
        assert target in ids
    assert "<style" not in shown.page


def test_text_keeps_its_digits(curves):
    page = figures.show(
        figures.loss_curves(curves), name="f", number="1", caption="c", alt="a"
    ).page
    assert "β₂ = 0.999<" in page


def test_colours_follow_the_theme(curves):
    page = figures.show(
        figures.loss_curves(curves), name="f", number="1", caption="c", alt="a"
    ).page
    for name, value in figures.COLORS.items():
        bare = page.replace(f"var(--esp-{name}, {value})", "")
        assert value not in bare
    assert "var(--esp-blue, #0b62a8)" in page


def test_wide_figures_are_drawn_for_phones_too(curves):
    page = figures.show(
        figures.loss_curves(curves, ax=figures.wide()), name="f", number="1", caption="c", alt="a"
    ).page
    boxes = [float(w) for w in re.findall(r'viewBox="0 0 ([\d.]+)', page)]
    assert len(boxes) == 2
    assert boxes[0] > 1.8 * boxes[1]
    assert 'class="esp-narrow"' in page


def test_tall_figures_keep_their_height_on_phones(curves):
    ax = figures.panel(size=(figures.WIDE[0], 6))
    figures.band(ax, [0, 1], np.ones((2, 2)), figures.BLUE, "rows")
    page = figures.show(ax, name="fig-x", number="0.1", caption="C", alt="A").page
    boxes = re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', page)
    assert [float(height) for _, height in boxes] == [6 * 72, 6 * 72]
    kept = re.findall(r"aspect-ratio: ([\d.]+) / ([\d.]+)", page)  # of the place while out of sight
    for (width, height), (wide, high) in zip(boxes, kept, strict=True):
        assert float(wide) / float(high) == pytest.approx(float(width) / float(height), rel=1e-4)
    assert float(boxes[1][0]) == pytest.approx(figures.PANEL[0] * 72, rel=0.01)


def test_same_data_same_bytes(curves):
    pages = [
        figures.show(figures.loss_curves(curves), name="f", number="1", caption="c", alt="a").page
        for _ in range(2)
    ]
    assert pages[0] == pages[1]


def luminance(color: str) -> float:
    channels = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


# Viénot, Brettel and Mollon 1999: what dichromats see of linear RGB.
PROTAN = np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]])
DEUTAN = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])


@pytest.mark.parametrize("seen", [np.eye(3), PROTAN, DEUTAN], ids=["all", "protan", "deutan"])
def test_the_three_beta2_colours_differ_for_everyone(seen):
    def linear(color: str) -> np.ndarray:
        c = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        return seen @ np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)

    colors = [figures.BLUE, figures.ORANGE, figures.GREEN]
    for i in range(3):
        for j in range(i):
            assert np.linalg.norm(linear(colors[i]) - linear(colors[j])) > 0.09


def test_orange_is_a_beta2_and_nothing_else():
    sources = [*(ROOT / "esp_lib").rglob("*.py"), *(ROOT / "book").glob("*.ipynb")]
    named = {path.name for path in sources if re.search(r"\bORANGE\b", path.read_text("utf8"))}
    assert named == {"style.py", "__init__.py"}
    scripts = [p.name for p in (ROOT / "esp_lib").rglob("*.js") if "--esp-orange" in p.read_text()]
    assert scripts == []  # front/colors.js has the values of beta2


def test_beta2_colours_are_those_of_the_explorers():
    for beta2 in (0.999, 0.99, 0.9, 0.8, 0.5):
        name = color_of({"optimizer": "Adam", "beta2": beta2})
        assert figures.COLORS[name] == figures.beta2_color(beta2)


@pytest.mark.parametrize("name", ["ink", "soft", "blue", "orange", "green", "purple", "grey"])
def test_colours_have_contrast_on_paper(name):
    assert (1.05) / (luminance(figures.COLORS[name]) + 0.05) >= 4.5


def test_colours_are_those_of_the_style_sheet():
    css = (ROOT / "book/css/esp.css").read_text()
    light = css[: css.index('html[data-theme="dark"]')]
    for name, value in figures.COLORS.items():
        assert f"--esp-{name}: {value};" in light


def test_picture_follows_the_viewer(tmp_path):
    from esp_lib.__main__ import main

    target = tmp_path / "a" / "picture.svg"
    assert main(["picture", str(target)]) == 0
    ET.parse(target)
    text = target.read_text()
    assert "prefers-color-scheme: dark" in text
    assert "β₂ = 0.999" in text


def test_unknown_commands_are_refused(capsys):
    from esp_lib.__main__ import main

    assert main(["paint"]) == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize("top", [3.0, 4e4, 2e-3])
def test_signed_log_ticks_are_few_and_apart(top):
    ax = figures.panel()
    ax.plot([0, 1, 2], [-0.5, 0.001, top])
    figures.signed_log(ax, 0.002)
    ax.figure.draw_without_rendering()
    ticks = ax.get_yticks()
    assert 0 in ticks
    assert len(ticks) <= 7
    heights = ax.transData.transform([(0, tick) for tick in ticks])[:, 1]
    assert np.diff(heights).min() > 9
