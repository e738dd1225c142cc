"""The numbers of a figure, read back from what is drawn, as one table at full precision.

Whatever a figure shows has to be an artist of Matplotlib, so that this table can leave nothing out:
https://matplotlib.org/stable/api/artist_api.html. It is what readers download and what the
fingerprints of the book are made of (`ledger.py`).
"""

import csv
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEAD = ("panel", "kind", "series", "x", "y", "z")

Rows = Iterator[tuple[float, ...]]  # (x, y) or (x, y, z)


def figure_csv(*axes: "Axes") -> str:
    """All numbers that some panels draw, as CSV with the columns `HEAD`.

    Args:
        axes: the panels, in order.

    Returns:
        A line for each point. "kind" is "line", "point", "area" (the corners of a filled band,
        along one edge and back along the other), "bar" (the corners of a bar or outline), "cell"
        (the middle of a cell of a map, with its value as z) or "guide" (a helper, placed relative
        to the panel in x or y). "series" is the label of what is drawn, empty where it has none.
        Numbers have all their digits; what is missing is "nan".
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(HEAD)
    for number, ax in enumerate(axes, start=1):
        for artist in ax.get_children():
            label = str(artist.get_label())
            series = "" if label.startswith("_") else label
            for kind, point in _points(ax, artist):
                cells = [repr(float(value)) for value in point]
                table.writerow([number, kind, series, *cells, *[""] * (3 - len(cells))])
    return text.getvalue()


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
