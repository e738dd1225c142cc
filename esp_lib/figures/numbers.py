"""The numbers of a figure, read back from what is drawn, as one table at full precision.

Whatever a figure shows has to be an artist of Matplotlib, so that this table can leave nothing out:
https://matplotlib.org/stable/api/artist_api.html. It is what readers download and what the
fingerprints of the book are made of (`ledger.py`).
"""

import csv
import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEAD = (
    "panel", "kind", "series", "x", "y", "z", "title", "x axis", "y axis", "z axis",
    "x name", "y name",
)  # fmt: skip
Rows = Iterator[tuple[float, ...]]  # (x, y) or (x, y, z)


def figure_csv(*axes: "Axes") -> str:
    """All numbers that some panels draw, as CSV with the columns `HEAD`.

    The axes are the panels, in order.

    Returns:
        A line for each point. "kind" is "line", "point", "area" (the corners of a filled band,
        along one edge and back along the other), "bar" (the corners of a bar or outline), "cell"
        (the middle of a cell of a map, with its value as z) or "guide" (a helper, placed relative
        to the panel in x or y). "series" is the label of what is drawn. "x name" and "y name" are
        what the axis calls this place, where its ticks have names. Other axes of a panel's picture,
        but for colour bars, count to the panel. Numbers have all their digits; what is missing is
        "nan".

    Raises:
        ValueError: something drawn has no label, or one that Matplotlib ignores (it begins with _).
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(HEAD)
    for number, first in enumerate(axes, start=1):
        beside: list[Any] = [ax for ax in first.figure.axes if ax not in axes]
        for ax in [first, *(ax for ax in beside if not hasattr(ax, "_colorbar"))]:
            titles = [_title(first), *([_title(ax)] if ax is not first else [])]
            words = [": ".join(filter(None, titles)), ax.get_xlabel(), ax.get_ylabel()]
            labels, names = _labels(ax), (_names(ax.xaxis), _names(ax.yaxis))
            for artist in ax.get_children():
                if artist is ax.patch or artist in (ax.xaxis, ax.yaxis):
                    continue
                points = list(_points(ax, artist))
                series = labels.get(artist) or _own(artist)
                if points and not series:
                    raise ValueError(
                        f"axes must draw what has a label; {type(artist).__name__} has none in "
                        f"panel {number}, {words[0]!r}"
                    )
                data = artist.get_transform().contains_branch_seperately(ax.transData)
                for kind, point in points:
                    cells = [repr(float(value)) for value in point]
                    cells += [""] * (3 - len(cells))
                    named = (
                        look(value) if inside or kind != "guide" else ""
                        for look, value, inside in zip(names, point, data, strict=False)
                    )
                    table.writerow(
                        [number, kind, series, *cells, *words, _depth(ax, artist), *named]
                    )
    return text.getvalue()


def _title(ax: "Axes") -> str:
    return next((text for at in ("left", "center", "right") if (text := ax.get_title(at))), "")


def _own(artist: Any) -> str:
    """An artist's label; nothing where it begins with "_", as those do that Matplotlib gives."""
    label = str(artist.get_label() or "")
    return "" if label.startswith("_") else label


def _labels(ax: "Axes") -> dict[Any, str]:
    """The parts of bars and error bars, with the label of the whole."""
    return {
        part: label
        for whole in ax.containers
        if (label := _own(whole))
        for part in [*whole.get_children()]
    }


def _depth(ax: Any, artist: Any) -> str:
    """What the third coordinate or the colour of an artist is."""
    if hasattr(ax, "get_zlabel"):
        return str(ax.get_zlabel())
    bar = getattr(artist, "colorbar", None)
    return str(bar.ax.get_ylabel()) if bar is not None else ""


def _names(axis: Any) -> Callable[[float], str]:
    """How an axis calls a place: by a tick that says more than its number, if one stands there.

    Where all ticks do, as in a chart of named rows, a place has the name of the nearest one.
    """
    from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter

    form = axis.get_major_formatter()
    fixed = _is(axis.get_major_locator(), FixedLocator)
    if not fixed or not (_is(form, FixedFormatter) or _is(form, FuncFormatter)):
        return lambda _: ""
    ticks = np.asarray(axis.get_majorticklocs(), dtype=float)
    texts = [str(form(tick, i)) for i, tick in enumerate(ticks)]
    named = [not _says(text, tick) for text, tick in zip(texts, ticks, strict=True)]
    reach = np.diff(np.sort(ticks)).min(initial=1.0) / 2 if all(named) else 0.0

    def name(place: float) -> str:
        if not np.isfinite(place) or not any(named):
            return ""
        i = int(np.abs(ticks - place).argmin())
        return texts[i] if named[i] and abs(ticks[i] - place) <= reach else ""

    return name


def _says(text: str, tick: float) -> bool:
    """Whether a tick's text is its number."""
    try:
        return bool(
            np.isclose(float(text.replace("\u2212", "-").replace(",", "")), tick, rtol=0.01)
        )
    except ValueError:
        return not text


def _points(ax: Any, artist: Any) -> Iterator[tuple[str, tuple[float, ...]]]:
    """(kind, coordinates) of each point of an artist; none for frames, axes and text."""
    from matplotlib.collections import Collection, PathCollection, QuadMesh
    from matplotlib.image import AxesImage
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.spines import Spine

    if artist is ax.patch or _is(artist, Spine) or not artist.get_visible():
        return
    rows: Rows
    if _is(artist, Line2D):
        flat = not hasattr(artist, "get_data_3d")
        kind = "line" if _inside(ax, artist) or not flat else "guide"
        rows = zip(*(artist.get_data(orig=False) if flat else artist.get_data_3d()), strict=True)
    elif _is(artist, QuadMesh):
        corners = artist.get_coordinates()
        middle = (corners[:-1, :-1] + corners[1:, 1:]) / 2  # (rows, columns, 2)
        kind, rows = "cell", _cells(middle.reshape(-1, 2), artist.get_array())
    elif _is(artist, AxesImage):
        values = np.ma.asarray(artist.get_array())
        left, right, bottom, top = artist.get_extent()
        if artist.origin == "upper":
            bottom, top = top, bottom
        n, m = values.shape[:2]
        x, y = (np.arange(m) + 0.5) / m, (np.arange(n) + 0.5) / n
        grid = np.meshgrid(left + (right - left) * x, bottom + (top - bottom) * y)
        kind, rows = "cell", _cells(np.stack(grid, axis=-1).reshape(-1, 2), values)
    elif _is(artist, PathCollection) and len(artist.get_offsets()):
        values = artist.get_array()
        places: Any = np.ma.filled(np.ma.asarray(artist.get_offsets(), dtype=float), np.nan)
        kind, rows = "point", iter(map(tuple, places)) if values is None else _cells(places, values)
    elif _is(artist, Collection):
        kind = "area" if _inside(ax, artist) else "guide"
        rows = (tuple(p) for path in artist.get_paths() for p in np.asarray(path.vertices))
    elif _is(artist, Patch):
        kind = "bar" if artist.get_data_transform().contains_branch(ax.transData) else "guide"
        outline = artist.get_patch_transform().transform_path(artist.get_path())
        rows = (tuple(p) for p in np.asarray(outline.vertices))
    else:
        return
    yield from ((kind, row) for row in rows)


def _is(artist: Any, kind: type) -> bool:
    """`isinstance`, without telling the type checker: Matplotlib's own annotations are too wide."""
    return isinstance(artist, kind)


def _inside(ax: Any, artist: Any) -> bool:
    """Whether both coordinates of an artist are data, and neither a share of the panel."""
    return bool(artist.get_transform().contains_branch(ax.transData))


def _cells(places: Any, values: Any) -> Rows:
    """(x, y, value) of each place; NaN where a value is masked."""
    filled: Any = np.ma.filled(np.ma.asarray(values, dtype=float), np.nan)
    numbers = filled.reshape(len(places), -1).mean(axis=1)
    return ((x, y, value) for (x, y), value in zip(places, numbers, strict=True))
