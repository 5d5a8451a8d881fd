"""What static files never do: send a browser to another host, or give secrets away."""

import pytest

from dobook.project.assets import AssetsFetcher
from dobook.web import Request
from dobook.wrangler import Assets


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example/..%2findex.html",
        "///evil.example/..%2findex.html",
        "/%5cevil.example/..%2findex.html",
        "/%5c%5cevil.example%2f..%2findex.html",
        "/%2fevil.example%2f..%2findex.html",
        "/%0d%0aSet-Cookie:x/..%2findex.html",
    ],
)
def test_a_shorter_address_never_names_another_host(tmp_path, path):
    (tmp_path / "index.html").write_text("<p>here</p>")
    assets = AssetsFetcher(tmp_path, Assets(directory="."))
    response = assets.answer(Request(f"http://127.0.0.1{path}"))
    if response is not None:
        location = response.headers.get("Location")
        assert location.startswith("/")
        assert not location.startswith(("//", "/\\"))
        assert "\r" not in location
        assert "\n" not in location


def test_ordinary_addresses_become_shorter(tmp_path):
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "page.html").write_text("<p>here</p>")
    assets = AssetsFetcher(tmp_path, Assets(directory="."))
    response = assets.answer(Request("http://127.0.0.1/a%20b/page.html"))
    assert (response.status, response.headers.get("Location")) == (307, "/a%20b/page")


@pytest.mark.parametrize("name", [".dev.vars", ".env", ".env.local", ".dev.vars.staging", ".ENV"])
@pytest.mark.parametrize("html", ["auto-trailing-slash", "none"])
def test_secrets_beside_the_files_are_not_served(tmp_path, name, html):
    (tmp_path / name).write_text("KEY=secret")
    (tmp_path / "link").symlink_to(tmp_path / name)
    (tmp_path / "env").write_text("not one")
    assets = AssetsFetcher(tmp_path, Assets(directory=".", html_handling=html))
    for path in (f"/{name}", f"/%2e{name[1:]}", "/link"):
        assert assets.answer(Request(f"http://127.0.0.1{path}")) is None
    assert assets.answer(Request("http://127.0.0.1/env")).status == 200
