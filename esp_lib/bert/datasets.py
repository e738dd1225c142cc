"""Where the text comes from: Python's own help, a folder, or the Hugging Face hub.

WikiText (Merity et al., "Pointer Sentinel Mixture Models", 2016) is read from the folder named by
the environment variable ESP_DATA if it holds `wikitext-2/wiki.train.tokens` (or `wikitext-103/...`)
and so on; otherwise it is downloaded by name with Hugging Face's `datasets` (an optional package)
into that package's cache, with its progress bar and checksums, and the number of words is compared
with the published one.
"""

import os
from pathlib import Path

from esp_lib import _checks

SOURCES = ("embedded", "wikitext-2", "wikitext-103")
SPLITS = ("train", "valid", "test")

# Words and line ends of each split: Merity et al. (2016), table 1.
PUBLISHED_TOKENS = {
    "wikitext-2": {"train": 2_088_628, "valid": 217_646, "test": 245_569},
    "wikitext-103": {"train": 103_227_021, "valid": 217_646, "test": 245_569},
}
HUB_NAME = "Salesforce/wikitext"
HUB_REVISION = "b08601e04326c79dfdd32d625aee71d232d685c3"  # the text must not change
HUB_SPLITS = {"train": "train", "valid": "validation", "test": "test"}


def read_lines(source: str, split: str) -> list[str]:
    """The lines of one split of a text.

    Args:
        source: "embedded" (Python's own help topics: nothing to download), "wikitext-2" or
            "wikitext-103".
        split: "train", "valid" or "test".

    Raises:
        FileNotFoundError: ESP_DATA names a folder without the text, or it is not set and
            `datasets` is not installed.
        ConnectionError: the download failed.
        ValueError: an unknown source or split, or a download that is not the published text.
    """
    _checks.choice("source", source, SOURCES)
    _checks.choice("split", split, SPLITS)
    if source == "embedded":
        return _embedded(split)
    folder = os.environ.get("ESP_DATA")
    return _from_folder(Path(folder), source, split) if folder else _from_hub(source, split)


def _embedded(split: str) -> list[str]:
    """Paragraphs of the help topics; of every ten, one validates and one tests."""
    from pydoc_data.topics import topics

    text = "\n\n".join(topics[name] for name in sorted(topics))
    lines = [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]
    lines = [line.replace(". ", " . ") + " " for line in lines]
    lines = [line.removesuffix(". ") + " . " if line.endswith(". ") else line for line in lines]
    wanted = {"valid": (8,), "test": (9,)}.get(split, range(8))
    return [line for i, line in enumerate(lines) if i % 10 in wanted]


def _from_folder(folder: Path, source: str, split: str) -> list[str]:
    path = folder / source / f"wiki.{split}.tokens"
    if not path.is_file():
        found = ", ".join(sorted(p.name for p in folder.iterdir())) if folder.is_dir() else None
        what = f"it holds {found or 'nothing'}" if found is not None else "there is no such folder"
        raise FileNotFoundError(
            f"ESP_DATA must name a folder with {source}/wiki.{split}.tokens in it, "
            f"got {str(folder)!r}: {what}"
        )
    return path.read_text(encoding="utf8").split("\n")  # and not at U+2028, as the hub does


def _from_hub(source: str, split: str) -> list[str]:
    try:
        import datasets
    except ImportError:
        raise FileNotFoundError(
            f"{source} is not on this machine: set ESP_DATA to a folder with "
            f"{source}/wiki.{split}.tokens in it, or `pip install 'esp_lib[hub]'` to download it"
        ) from None
    try:
        rows = datasets.load_dataset(
            HUB_NAME,
            f"{source}-v1",
            split=HUB_SPLITS[split],
            revision=HUB_REVISION,
            verification_mode="all_checks",
        )
    except OSError as error:  # no network, no such name
        raise ConnectionError(
            f"{source} could not be downloaded ({error}): try again, or set ESP_DATA to a folder "
            f"with {source}/wiki.{split}.tokens in it"
        ) from error
    lines = [str(line) for line in rows["text"]]
    words = sum(len(line.split()) + 1 for line in lines)  # each line ends in <eos>
    if words != (published := PUBLISHED_TOKENS[source][split]):
        raise ValueError(
            f"the {split} split of {source} must have {published} words and line ends, as "
            f"published, got {words} from {HUB_NAME}"
        )
    return lines
