"""`python -m docs.site [FOLDER]`: build the site into a folder, `out/site` by default."""

import sys
from pathlib import Path

from docs.address import origin, repository
from docs.site.build import build

here = origin()
if here not in {None, repository()}:
    sys.stderr.write(
        f"The buttons open {repository()}, but this clone's origin is {here}. "
        "`python -m docs.address --set origin` changes that.\n"
    )
sys.exit(build(Path(sys.argv[1] if len(sys.argv) > 1 else "out/site")))
