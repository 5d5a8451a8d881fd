"""`python -m dobook` is the `dobook` command."""

import sys

from dobook.cli import main

sys.exit(main())
