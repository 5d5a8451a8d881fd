r"""What would not run on Cloudflare, found by reading the code; nothing is ever run.

`%dobook check` looks at the classes of the notebook and what they need, `dobook check PATH` at a
project, a module or a notebook. A comment `# dobook: ok` silences the findings of its line.

Example:
    >>> for finding in check_text("import time\n\ndef f():\n    time.sleep(1)\n", "entry.py"):
    ...     print(finding.place, finding.rule)
    entry.py:4 blocking-sleep
"""

from dobook.lint.checking import check_sources, check_text
from dobook.lint.findings import Finding, Findings
from dobook.lint.paths import check_material, check_path

__all__ = ["Finding", "Findings", "check_material", "check_path", "check_sources", "check_text"]
