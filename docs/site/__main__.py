"""`python -m docs.site [FOLDER]`: build the site into a folder, `out/site` by default."""

import argparse
import sys
from pathlib import Path

from docs.address import origin, repository
from docs.site.build import build

parser = argparse.ArgumentParser(prog="python -m docs.site", description="Build the site.")
parser.add_argument("folder", nargs="?", type=Path, default=Path("out/site"), help="where it goes")
parser.add_argument(
    "--lite",
    action="store_true",
    help="with JupyterLite, in which the lessons run in the browser alone; needs the network",
)
parser.add_argument(
    "--pyodide",
    type=Path,
    metavar="FOLDER",
    help="an unpacked distribution of Pyodide 0.27.7 for JupyterLite, which is fetched by each "
    "page otherwise",
)
options = parser.parse_args()
here = origin()
if here not in {None, repository()}:
    sys.stderr.write(
        f"The buttons open {repository()}, but this clone's origin is {here}. "
        "`python -m docs.address --set origin` changes that.\n"
    )
sys.exit(
    build(
        options.folder,
        with_lite=options.lite or options.pyodide is not None,
        pyodide=options.pyodide,
    )
)
