"""Stop with a sentence if this interpreter cannot make the project's environment.

Runs on any Python 3 without installing anything, before `make` creates `.venv`.
Usage: `python3 tools/check_python.py`.
"""

import sys

ALLOWED = ((3, 11), (3, 12), (3, 13), (3, 14))


def main() -> None:
    """Exit with a message unless the version fits and `venv` can install pip."""
    version = sys.version_info[:2]
    if version not in ALLOWED:
        sys.exit(
            "Python 3.11, 3.12, 3.13 or 3.14 is needed, and {} is {}.{}.\n"
            "Name another one: make PYTHON=python3.12 book".format(sys.executable, *version)
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        sys.exit(
            "This Python has no venv module. On Debian and Ubuntu: apt-get install python3-venv"
        )


if __name__ == "__main__":
    main()
