"""The public names of dobook.web."""

import subprocess
import sys

import dobook.web


def test_all_is_sorted_and_true():
    names = dobook.web.__all__
    assert names == sorted(names, key=lambda name: (not name.isupper(), name))
    assert all(hasattr(dobook.web, name) for name in names)


def test_importing_it_loads_neither_the_url_parser_nor_http_client_nor_email():
    code = (
        "import sys; before = set(sys.modules); import dobook.web; "  # coverage may have loaded some
        "loaded = sys.modules.keys() - before; "
        "sys.exit(bool({'ada_url', 'http.client', 'email', 'urllib.parse'} & loaded))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
