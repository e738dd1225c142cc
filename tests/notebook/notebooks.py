"""A small notebook that has run."""

import nbformat

from esp_lib import figures
from esp_lib.notebook.chapter import Chapter
from esp_lib.notebook.parameters import SCHEMAS


def notebook(path, measured="1", values=(1.0,), y=(0.0, 1.0), extra="", refuted=False):
    """An executed notebook with a claim (or two) and a figure, as Jupyter would write it."""
    chapter = Chapter(
        "05_replication", {k: p.default for k, p in SCHEMAS["05_replication"].items()}
    )
    chapter.claim("a", "A.", measured=measured, tolerance="0", holds=True, values=values)
    if refuted:
        chapter.claim("b", "B.", measured="2", tolerance="more", holds=False, known="refuted")
    ax = figures.panel()
    ax.plot([0, 1], y, label="line")
    shown = figures.show(
        ax, name="fig-a", number="5.1", caption="A line." + extra, alt="A line.", seeds=[3]
    )
    cells = []
    for source, output in (("y", shown), ("chapter.claims()", chapter.claims()),
                           ("chapter.foot()", chapter.foot())):  # fmt: skip
        data, metadata = output._repr_mimebundle_()
        cell = nbformat.v4.new_code_cell(source)
        cell.outputs = [nbformat.v4.new_output("execute_result", data, metadata=metadata)]
        cells.append(cell)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path
