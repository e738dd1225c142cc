"""JavaScript keeps to the floors of the packages; imports inside functions keep heavy ones out."""

import ast
import re
import tomllib

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "esp_lib"
SCRIPTS = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.js"))
LAZY = {  # what an import inside a function keeps out of `import esp_lib`
    "bert/ablations.py": "torch",
    "finetuning/studies.py": "torch",
    "quadratic/probes.py": "Numba",
    "quadratic/simulation.py": "Numba and Triton",
    "sampling/orders.py": "Numba",
}


def floors():
    """The floor of each package, 0 at the top, as import-linter reads them."""
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["tool"]["importlinter"]
    layers = linter["contracts"][0]["layers"]
    return {name: k for k, layer in enumerate(layers) for name in layer.split(" : ")}


@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_javascript_imports_downward(script):
    floor = floors()
    text = (PACKAGE / script).read_text("utf8")
    for path in re.findall(r'(?:from |sourceOf\()"(\.[\w./]+)"', text):
        imported = (PACKAGE / script.parent / path).resolve().relative_to(PACKAGE)
        assert (PACKAGE / imported).is_file()
        above, below = (path.parts[0].removesuffix(".js") for path in (script, imported))
        if above != below:
            assert floor[above] <= floor[below], imported


def test_imports_inside_functions_keep_heavy_packages_out():
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text("utf8"))):
            if isinstance(function, ast.FunctionDef):
                inside = (node for node in ast.walk(function) if isinstance(node, ast.ImportFrom))
                own = [node for node in inside if (node.module or "").startswith("esp_lib")]
                found += [str(path.relative_to(PACKAGE))] * len(own)
    assert set(found) == set(LAZY)
    assert len(found) <= 15
