"""What a release needs to know about a tag: `python -m docs.release v0.2.0`.

Checks that the tag, the version in `pyproject.toml` and the newest version in `CHANGELOG.md` are the
same, and prints that version's part of the changelog.
"""

import argparse
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def notes(changelog: str, version: str) -> str:
    """Return a version's part of the changelog, without its heading.

    Raises:
        ValueError: If the version is not the newest one in the changelog, or has no text there.
    """
    parts = re.split(r"(?m)^## (\d\S*).*\n", changelog)
    if len(parts) < 3 or parts[1] != version:
        newest = parts[1] if len(parts) > 1 else "none"
        raise ValueError(f"the newest version in CHANGELOG.md is {newest}, not {version}")
    text = parts[2].strip()
    if not text:
        raise ValueError(f"CHANGELOG.md says nothing about {version}")
    return text


def release_notes(root: Path, tag: str) -> str:
    """Return the release notes for a tag.

    Raises:
        ValueError: If the tag, `pyproject.toml` and `CHANGELOG.md` disagree.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    version = project["version"]
    if tag != f"v{version}":
        raise ValueError(
            f"pyproject.toml has version {version}, so the tag is v{version}, not {tag}"
        )
    return notes((root / "CHANGELOG.md").read_text("utf-8"), version)


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m docs.release",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("tag", help="v and the version, for instance v0.2.0")
    try:
        sys.stdout.write(release_notes(ROOT, parser.parse_args().tag) + "\n")
    except ValueError as error:
        sys.exit(f"{error}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
