"""Commands: `python -m esp_lib picture FILE.svg` writes the picture of the sawtooth."""

import sys
from pathlib import Path

USAGE = "usage: python -m esp_lib picture FILE.svg"


def main(arguments: list[str]) -> int:
    """Run a command; returns the exit status, 2 for a call that is not understood."""
    match arguments:
        case ["picture", file] if file.endswith(".svg"):
            from esp_lib.picture import write_picture

            write_picture(Path(file))
            print(f"wrote {file}")
            return 0
        case ["--help" | "-h"]:
            print(USAGE)
            return 0
    print(USAGE, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
