"""Where the repository is published, and the links to Binder that follow from it.

The address is said in one place, `Repository` under `[project.urls]` in `pyproject.toml`. The
README's badge, `CITATION.cff` and the issue forms repeat it, and a test holds all of them equal. From
the top of a clone:

    python -m docs.address                 the address, and what opens each notebook on Binder
    python -m docs.address --set ADDRESS   another one, for a fork or after a move
    python -m docs.address --set origin    that of the remote `origin`
"""

import argparse
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import quote, urlsplit

ROOT = Path(__file__).parent.parent
QUICKSTART = "01_quickstart"
PICTURE = "https://mybinder.org/badge_logo.svg"
HOSTS = {"github.com": "gh", "gitlab.com": "gl"}


def repository() -> str:
    """Return the repository's address, as `pyproject.toml` has it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return str(project["urls"]["Repository"])


def binder(notebook: str, address: str | None = None) -> str:
    """Return what opens a notebook in JupyterLab on Binder.

    Args:
        notebook: Its file's name in `notebooks/`, without the ending.
        address: The repository's address; None for the project's own.
    """
    parts = urlsplit(address or repository())
    path = parts.path.strip("/")
    kind = HOSTS.get(parts.netloc, "git")
    place = path if kind == "gh" else quote(path if kind == "gl" else parts.geturl(), safe="")
    page = f"lab/tree/notebooks/{notebook}.ipynb"
    return f"https://mybinder.org/v2/{kind}/{place}/HEAD?urlpath={page}"


def badge(address: str | None = None) -> str:
    """Return the README's badge, in Markdown."""
    return f"[![Open the lessons on Binder]({PICTURE})]({binder(QUICKSTART, address)})"


def web_address(remote: str) -> str:
    """Return the address of a repository's page, from what `git clone` takes or `OWNER/NAME`.

    Example:
        >>> web_address("git@github.com:ada/dobook.git")
        'https://github.com/ada/dobook'
        >>> web_address("ada/dobook")
        'https://github.com/ada/dobook'
    """
    remote = remote.strip().rstrip("/").removesuffix(".git")
    if re.fullmatch(r"\w[\w.-]*/[\w.-]+", remote):
        return f"https://github.com/{remote}"
    found = re.fullmatch(r"(?:https?://|ssh://)?(?:[^/@]+@)?(\w[\w.-]*)(?::\d+/|[:/])(.+)", remote)
    if found is None or "." not in found[1]:
        raise ValueError(
            f"{remote!r} is not an address that others can reach. Give one such as "
            "https://github.com/OWNER/NAME."
        )
    return f"https://{found[1]}/{found[2]}"


def origin() -> str | None:
    """Return the web address of the remote `origin`, None if there is none that others reach."""
    command = ["git", "-C", str(ROOT), "remote", "get-url", "origin"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return web_address(done.stdout) if done.returncode == 0 else None
    except (OSError, ValueError):
        return None


def places(address: str) -> dict[str, tuple[str, str]]:
    """Return where the address is written: for each file a pattern, and the text that it matches."""
    report = f"{address}/security/advisories/new"
    return {
        "pyproject.toml": (r'(?m)^Repository = ".*"', f'Repository = "{address}"'),
        "README.md": (rf"\[!\[[^\]]*\]\({re.escape(PICTURE)}\)\]\([^)]*\)", badge(address)),
        "CITATION.cff": (r'(?m)^repository-code: ".*"', f'repository-code: "{address}"'),
        ".github/ISSUE_TEMPLATE/config.yml": (r"https://\S+/security/advisories/new", report),
    }


def put(root: Path, address: str) -> None:
    """Write another address into every file of `places`.

    Raises:
        ValueError: If one of the files has no such line, or more than one.
    """
    texts = {}
    for name, (pattern, line) in places(address).items():
        text, count = re.subn(pattern, lambda _, line=line: line, (root / name).read_text("utf-8"))
        if count != 1:
            raise ValueError(f"{name} says where the repository is in {count} places, not in one.")
        texts[name] = text
    for name, text in texts.items():
        (root / name).write_text(text, "utf-8")


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m docs.address",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--set", metavar="ADDRESS", help="OWNER/NAME, a URL, or origin")
    wanted = parser.parse_args().set
    if wanted is not None:
        address = origin() if wanted == "origin" else web_address(wanted)
        if address is None:
            sys.exit("There is no remote origin that others can reach.")
        put(ROOT, address)
    sys.stdout.write(f"{repository()}\n")
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        sys.stdout.write(f"{binder(notebook.stem)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
