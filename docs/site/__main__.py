"""`python -m docs.site [FOLDER]`: build the site into a folder, `out/site` by default."""

import sys
from pathlib import Path

from docs.site.build import build

sys.exit(build(Path(sys.argv[1] if len(sys.argv) > 1 else "out/site")))
