"""Carrying the chapters to a machine without a network: what is packed, and what runs there."""

import ast
import importlib.metadata
import json
import platform
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import papermill
import pytest

from tools import carry
from tools.run_chapters import list_chapters

HERE = {"python": ".".join(platform.python_version_tuple()[:2]), "machine": platform.machine()}
FAKE = {  # what the packages of `carry.NEEDED` would pull in
    "papermill": [
        'aiohttp>=3.9; python_version == "3.12"',  # not needed
        'backport; python_version < "3.12"',
        'newer; python_version >= "3.12"',
        'colours; sys_platform == "win32"',
        "Jinja2",  # there, with torch
        "under_score[fast]>=1",
    ],
    "under-score": ['quick; extra == "fast"', 'other; extra == "slow"', "ipykernel"],
    "ipykernel": ["debugpy>=1.6", "packaging", "jupyter.client"],
}


@pytest.fixture
def fake_download(tmp_path: Path):
    """Makes a wheel whose metadata is from `FAKE`."""

    def download(name: str) -> Path:
        wheel = tmp_path / "wheels" / f"{name.replace('-', '_')}-1.0-py3-none-any.whl"
        wheel.parent.mkdir(exist_ok=True)
        lines = [f"Requires-Dist: {line}\n" for line in FAKE.get(name, [])]
        with zipfile.ZipFile(wheel, "x") as archive:  # each is asked for once
            metadata = f"Metadata-Version: 2.1\nName: {name}\n{''.join(lines)}\nA description.\n"
            archive.writestr(f"{name}-1.0.dist-info/METADATA", metadata)
            archive.writestr(f"vendored/{name}.dist-info/METADATA", "Requires-Dist: nothing-at-all")
            archive.writestr(f"{name.replace('-', '_')}.py", "value = 1\n")
        return wheel

    return download


# -------------------------------------------------------------------------------------- packing


@pytest.mark.parametrize(("python", "its_own"), [("3.12", "newer"), ("3.11", "backport")])
def test_pack_fetches_what_is_needed_and_not_there(python, its_own, tmp_path, fake_download):
    packed = carry.pack(python, "x86_64", None, tmp_path, fake_download)
    pulled_in = {"under-score", "quick", "jupyter-client", its_own}
    assert packed == {*carry.NEEDED, *pulled_in}
    wheels = {carry.canonical(path.name.split("-")[0]) for path in (tmp_path / "wheels").iterdir()}
    assert wheels == packed
    facts = json.loads((tmp_path / "machine.json").read_text())
    assert facts == {"python": python, "machine": "x86_64"}


def test_pack_leaves_nothing_of_an_earlier_call(tmp_path, fake_download):
    old = [tmp_path / "wheels" / "gone-1.0-py3-none-any.whl", tmp_path / "site" / "gone.py"]
    for path in [*old, tmp_path / "data.zip"]:
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    carry.pack("3.12", "x86_64", None, tmp_path, fake_download)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["machine.json", "wheels"]
    assert not old[0].exists()


def test_what_torch_numpy_and_matplotlib_pull_in_is_there():
    found = carry.closure(carry.THERE, carry.installed_requires, carry.markers("3.12", "x86_64"))
    assert found >= {"torch", "numpy", "matplotlib", "jinja2", "pillow", "typing-extensions"}
    assert found.isdisjoint(carry.NEEDED)


def test_every_package_needed_is_pinned():
    lock = (carry.ROOT / "requirements.lock").read_text(encoding="utf8")
    assert [name for name in carry.NEEDED if f"\n{name}==" not in lock] == []


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--python", "three"], "--python must be a version like 3.12, got 'three'"),
        (["--machine", "vax"], "invalid choice: 'vax'"),
        (["--data", "/nowhere"], "--data must hold wikitext-2/wiki.train.tokens, got /nowhere"),
        (["--quick"], "pack does not take --quick"),
    ],
)
def test_bad_words_are_refused_before_anything_is_fetched(words, problem, monkeypatch, capsys):
    monkeypatch.delenv("ESP_DATA", raising=False)
    monkeypatch.setattr(carry, "pack", None)
    with pytest.raises(SystemExit):
        carry.main(["pack", *words])
    assert problem in capsys.readouterr().err


# ---------------------------------------------------------------------------------------- there


def test_carried_packages_and_text_are_unpacked_once(tmp_path, fake_download):
    text = tmp_path / "texts" / "wikitext-2" / "wiki.train.tokens"
    text.parent.mkdir(parents=True)
    text.write_text("A sentence . And one more .\n" * 1000, encoding="utf8")
    task = tmp_path / "texts" / "glue" / "sst2" / "train.tsv"
    task.parent.mkdir(parents=True)
    task.write_text("sentence\tlabel\ngood\t1\n", encoding="utf8")
    (tmp_path / "texts" / "private.txt").write_text("not carried")
    folder = tmp_path / "carry"
    folder.mkdir()
    carry.pack(HERE["python"], HERE["machine"], text.parents[1], folder, fake_download)
    (tmp_path / "wheels").rename(folder / "wheels")
    assert (folder / "data.zip").stat().st_size < text.stat().st_size / 10
    carry.unpack(folder)
    environment = carry.environment_there(folder, {"PYTHONPATH": "before"})
    assert environment["PYTHONPATH"].split(":") == [str(folder / "site"), "before"]
    there = Path(environment["ESP_DATA"])
    assert sorted(path.name for path in there.iterdir() if path.is_dir()) == ["glue", "wikitext-2"]
    assert (there / "wikitext-2" / text.name).read_bytes() == text.read_bytes()
    assert (there / "glue" / "sst2" / task.name).read_bytes() == task.read_bytes()
    assert carry.environment_there(folder, {"ESP_DATA": "own"})["ESP_DATA"] == "own"
    code = "import under_score, papermill; print(under_score.value)"
    command = [sys.executable, "-S", "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"

    (folder / "site" / "under_score.py").write_text("value = 2\n")
    carry.unpack(folder)  # nothing to do
    assert "2" in (folder / "site" / "under_score.py").read_text()
    (folder / "wheels" / "quick-1.0-py3-none-any.whl").unlink()
    carry.unpack(folder)  # carried anew
    assert "1" in (folder / "site" / "under_score.py").read_text()
    assert not (folder / "site" / "quick.py").exists()


def test_nothing_carried_or_for_another_machine_is_said(tmp_path):
    with pytest.raises(ValueError, match=r"nothing was carried to .*: run `make carry`"):
        carry.unpack(tmp_path)
    facts = {"python": "3.13", "machine": "pdp11"}
    (tmp_path / "machine.json").write_text(json.dumps(facts))
    named = rf"Python 3\.13 on pdp11, this is Python {HERE['python']} on {HERE['machine']}"
    with pytest.raises(ValueError, match=named):
        carry.unpack(tmp_path)
    assert carry.call(["-c", "pass"], tmp_path) == 2


@pytest.mark.parametrize(
    ("words", "called"),
    [
        (["run", "-p", "profile", "paper"], ["SCRIPT", "CHAPTERS", "-p", "profile", "paper"]),
        (["run", "-p", "device", "cuda", "05_replication"],
         ["SCRIPT", "-p", "device", "cuda", "05_replication"]),
        (["python", "-m", "esp_lib", "runs", "list"], ["-m", "esp_lib", "runs", "list"]),
    ],
)  # fmt: skip
def test_words_reach_the_program_called(words, called, monkeypatch):
    calls = []
    monkeypatch.setattr(carry, "call", lambda words: calls.append(words) or 7)
    assert carry.main(words) == 7
    parts = {
        "SCRIPT": [str(carry.ROOT / "tools" / "run_chapters.py")],
        "CHAPTERS": carry.chapters(),
    }
    assert calls == [[word for part in called for word in parts.get(part, [part])]]


def test_chapters_run_there_are_those_of_recorded_runs():
    names = carry.chapters()
    declaring = [p.stem for p in list_chapters() if "workers" in papermill.inspect_notebook(p)]
    assert names == declaring
    assert "02_phenomenon" in names
    assert set(names) <= {path.stem for path in list_chapters()}


def test_chapters_import_nothing_that_is_not_carried():
    """All that they import at any place, with all other packages of this machine out of reach."""
    imports = ["import papermill", "import ipykernel.kernelapp", "from matplotlib_inline import *"]
    imports += ["from esp_lib import corpus, pretrain, sweeps"]
    for name in carry.chapters():
        for cell in nbformat.read(carry.ROOT / "book" / f"{name}.ipynb", as_version=4).cells:
            if cell.cell_type == "code":
                for node in ast.walk(ast.parse(cell.source)):
                    if isinstance(node, ast.Import | ast.ImportFrom):
                        imports.append(ast.unparse(node))
    here = carry.markers(HERE["python"], "x86_64")
    allowed = carry.closure((*carry.THERE, *carry.NEEDED), carry.installed_requires, here)
    hidden = [
        module
        for module, packages in importlib.metadata.packages_distributions().items()
        if module != "esp_lib" and allowed.isdisjoint(map(carry.canonical, packages))
    ]
    assert {"numba", "huggingface_hub", "jedi"} <= set(hidden)
    code = [
        f"import sys; sys.modules.update(dict.fromkeys({hidden}))",
        *imports,
        "text = [[['to', 'be'], ['or', 'not']]] * 50",
        "tokenizer = corpus.train_tokenizer(text, 300)",
        "assert all(corpus.encode(text, tokenizer)[0])",
        "from esp_lib import make_order",
        "make_order('reshuffle', num_functions=8, epochs=2, batch_size=2)",
    ]
    subprocess.run([sys.executable, "-c", "\n".join(code)], check=True, cwd=carry.ROOT)
