"""The files of an assets folder: which are served, under which paths, with which headers."""

import itertools
import json
import os
import re
import shutil
import subprocess
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dobook.errors import ConfigurationError
from dobook.project import open_projects
from dobook.project.asset_ignore import IgnoreRules
from dobook.project.asset_paths import PathPattern, PatternError
from dobook.project.asset_rules import HeaderRules, RedirectRules
from dobook.project.requests import Asked, answer
from dobook.serve import Server
from dobook.web import Headers

WORKER = """
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response("the Worker", status=299)
"""


@pytest.fixture
def make(tmp_path):
    """Makes a project of files and opens it; it is closed after the test."""
    opened = []

    def make(files, *, worker=False, **assets):
        folder = tmp_path / f"project{len(opened)}"
        (folder / "public").mkdir(parents=True)
        configuration = {
            "name": "site",
            "compatibility_date": "2026-01-01",
            "assets": {"directory": "public", "binding": "ASSETS", **assets},
        }
        if assets.get("directory", "") is None:
            del configuration["assets"]["directory"]
        if worker:
            configuration["main"] = "entry.py"
            configuration["compatibility_flags"] = ["python_workers"]
            (folder / "entry.py").write_text(WORKER)
        (folder / "wrangler.json").write_text(json.dumps(configuration))
        (folder / "secret.txt").write_text("s3cret")
        for name, text in files.items():
            file = folder / "public" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text if isinstance(text, bytes) else text.encode())
        opened.append(open_projects([folder]))
        return opened[-1]

    yield make
    for project in opened:
        project.close()


def get(project, path, line="GET"):
    told = answer(project.runtime, Asked.parse(f"{line} {path}"))
    assert told.error == ""
    return told


def statuses(project, paths):
    return {path: get(project, path).status for path in paths}


# ---------------------------------------------------------------------- paths


PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
RESERVED = [
    *("CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"),
    *(f"{name}{n}" for name in ("COM", "LPT") for n in "0123456789\u00b9\u00b2\u00b3"),
]
NOWHERE = [
    *("/%00", "/a.txt%00", "/a.txt%00.html", "/%00/a.txt", "/folder/%00", "/%01", "/%0a", "/%7f"),
    *("/" + "a" * 255, "/" + "a" * 256, "/" + "a" * 300, "/" + "\u00e4" * 128, "/folder/" + "b" * 300),
    *("/a" * 2_100, "/" + "a/" * 5_000, "/" + "a" * 16_000, "/" + "a" * 250 + ".txt/x" * 20),
    *("/%ff", "/%c3", "/a.txt%ff", "/%ed%a0%80", "/%c0%ae%c0%ae/secret.txt", "/%f5%80%80%80"),
    *("/a.txt.", "/a.txt%20", "/a.txt%2e", "/a.txt::$DATA", "/a.txt:stream", "/C:/a.txt", "/C:a.txt"),
    *("/..%5csecret.txt", "/%5c..%5csecret.txt", "/folder%5cb.txt", "/%5c%5cserver%5cshare%5ca.txt"),
    *("/..%2fsecret.txt", "/%2e%2e/secret.txt", "/folder/..%2f..%2fsecret.txt", "/....//secret.txt"),
    *("/.%2e/.%2e/etc/passwd", "//etc/passwd", "/%2fetc%2fpasswd", "/~root", "/~", "/%7e/"),
    *("/A.TXT", "/A.txt", "/FOLDER/b.txt", "/FOLDER~1/B.TXT", "/a.txt/", "/a.txt/x", "/folder"),
    *("/?", "/%3f", "/%2a", "/*", "/a*", "/%3ca%3e", "/%7c", '/"', "/%22"),
    *(f"/{name}{end}" for name in RESERVED for end in ("", ".txt", ".", ":", "%20")),
    *(f"/folder/{name.lower()}" for name in RESERVED),
    *("/link.txt", "/links/secret.txt", "/loop", "/pipe", "/gone.txt", "/unreadable.txt"),
]  # fmt: skip


@pytest.fixture
def links(request):
    def add(project):
        public = next(iter(project.projects)).folder / "public"
        (public / "link.txt").symlink_to(public.parent / "secret.txt")
        (public / "links").symlink_to(public.parent)
        (public / "loop").symlink_to(public / "loop")
        (public / "gone.txt").symlink_to(public / "nothing.txt")
        (public / "inside.txt").symlink_to(public / "a.txt")
        if hasattr(os, "mkfifo"):
            os.mkfifo(public / "pipe")
        return public

    return add


@pytest.mark.parametrize("worker", [False, True])
@pytest.mark.parametrize("html", ["auto-trailing-slash", "none"])
def test_a_path_that_no_file_has_is_not_found_whatever_it_is(
    make, links, monkeypatch, worker, html
):
    from dobook.project import assets

    project = make({"a.txt": "a", "folder/b.txt": "b"}, worker=worker, html_handling=html)
    public = links(project)
    (public / "unreadable.txt").write_text("x")
    read = assets.Path.read_bytes

    def read_bytes(file):
        if file.name == "unreadable.txt":
            raise PermissionError(13, "Permission denied", str(file))
        return read(file)

    monkeypatch.setattr(assets.Path, "read_bytes", read_bytes)
    with (
        Server(project.runtime, port=0) as server,
        closing(HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection,
    ):
        for path in dict.fromkeys(NOWHERE):
            connection.request("GET", quote(path, safe=PRINTABLE))
            told = connection.getresponse()
            text = told.read().decode()
            assert told.status == (299 if worker else 404), path
            assert str(public) not in text
            assert "project0" not in text
            assert "s3cret" not in text
        for path, text in (("/a.txt", "a"), ("/folder/b.txt", "b"), ("/inside.txt", "a")):
            connection.request("GET", path)
            told = connection.getresponse()
            assert (told.status, told.read().decode()) == (200, text)


def test_nothing_is_served_for_another_method(make):
    project = make({"a.txt": "a"})
    assert get(project, "/a.txt", "POST").status == 404
    assert get(project, "/a.txt", "HEAD").status == 200


def test_a_page_is_sent_to_its_short_address_and_to_no_other_host(make):
    project = make({"index.html": "i", "a.html": "a", "both": "file", "both.html": "page",
                    "x/index.html": "x", "reindex.html": "r", "evil.example/index.html": "e",
                    "s p\u00e4ce.html": "s"})  # fmt: skip

    def location(path):
        told = get(project, path)
        return told.status, dict(told.headers).get("location")

    assert location("/a.html") == (307, "/a")
    assert location("/a.html?q=1") == (307, "/a?q=1")
    assert location("/index.html") == (307, "/")
    assert location("/x/index.html") == (307, "/x/")
    assert location("/reindex.html") == (307, "/reindex")
    assert location("//evil.example/index.html") == (307, "/evil.example/")
    assert location("/s%20p%C3%A4ce.html") == (307, "/s%20p%C3%A4ce")
    assert location("/both.html") == (200, None)  # "/both" is another file


# ---------------------------------------------------------------------- .assetsignore


OWN = [".assetsignore", "_headers", "_redirects"]


def test_the_files_that_say_how_to_serve_are_not_served(make, links):
    files = dict.fromkeys(OWN, "# nothing")
    files |= {"a.txt": "a", "sub/_headers": "just a file", "sub/_redirects": "another"}
    project = make(files)
    public = links(project)
    (public / "alias.txt").symlink_to(public / "_headers")
    paths = [f"/{name}" for name in OWN]
    paths += [f"//{name}" for name in OWN] + ["/%5fheaders", "/%2eassetsignore", "/alias.txt"]
    assert set(statuses(project, paths).values()) == {404}
    assert get(project, "/sub/_headers").body == "just a file"
    assert get(project, "/sub/_redirects").status == 200
    taken_back = make({**files, ".assetsignore": "!_headers\n!_redirects\n!.assetsignore\n"})
    assert set(statuses(taken_back, [f"/{name}" for name in OWN]).values()) == {404}


@pytest.mark.parametrize("handling", ["none", "404-page", "single-page-application"])
def test_an_ignored_file_is_not_there(make, links, handling):
    ignore = "*.map\n!keep.map\n/hidden/\nindex.html\n404.html\n"
    files = {".assetsignore": ignore, "a.js": "a", "a.js.map": "s3cret", "x/keep.map": "k",
             "hidden/a.txt": "s3cret", "x/hidden/a.txt": "p", "index.html": "s3cret",
             "404.html": "s3cret"}  # fmt: skip
    project = make(files, not_found_handling=handling)
    public = links(project)
    (public / "alias").symlink_to(public / "a.js.map")
    assert statuses(project, ["/a.js", "/x/keep.map", "/x/hidden/a.txt"]) == {
        "/a.js": 200, "/x/keep.map": 200, "/x/hidden/a.txt": 200,
    }  # fmt: skip
    hidden = ["/a.js.map", "/hidden/a.txt", "/", "/index", "/index.html", "/404", "/alias", "/no"]
    for path in hidden:
        told = get(project, path)
        assert (told.status, "s3cret" in told.body) == (404, False), path
    assert get(make(files, worker=True), "/a.js.map").status == 299


PATTERNS = [
    "a", "/a", "a/", "/a/", "a/b", "/a/b", "*", "*.c", "/*.c", "a*", "*a*", "a?", "?", "a/*", "a/**",
    "**", "**/", "**/b", "a/**/b", "a/**/", "**/a/**", "a**b", "a/**b", "***/b", "[ab]", "[!a]", "[^a]",
    "[a-c].c", "[]a]", "[a", "\\a", "a\\", "\\*", "\\#a", "#a", "\\!a", "!a", "a ", "a\\ ", " a",
    "[[:alpha:]]", "[![:digit:]]", "*/b", "*/b/", "/**/b", "b/c/", "A", "a.c", "[a-]", "[\\]]", "{a,b}",
]  # fmt: skip
NAMES = ["a", "b", "c", "ab", "a.c", "A", "#a", "!a", "a ", "]", "-", "{a,b}", "1", "*"]
FILES = [
    *NAMES, *("/".join(two) for two in itertools.product(["a", "b", "x", "ab"], ["a", "b", "c", "a.c"])),
    *("/".join(three) for three in itertools.product(["a", "x"], ["a", "b"], ["b", "c", "x.c"])), "a/x/y/b",
]  # fmt: skip


@pytest.fixture(scope="module")
def git(tmp_path_factory):
    if shutil.which("git") is None:
        pytest.skip("git, which says what a .gitignore means, is not installed")
    folder = tmp_path_factory.mktemp("git")
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for name in [name for name in environment if name.startswith("GIT_DIR")]:
        del environment[name]
    subprocess.run(["git", "init", "-q", folder], check=True, env=environment)

    def ignored(text):
        (folder / ".git" / "info" / "exclude").write_text(text)
        command = ["git", "-C", folder, "check-ignore", "--no-index", "-z", "--stdin"]
        told = subprocess.run(
            command, input="\0".join(FILES), capture_output=True, text=True, env=environment
        )
        assert told.returncode in (0, 1), told.stderr
        return set(filter(None, told.stdout.split("\0")))

    return ignored


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_means_what_it_means_to_git(git, pattern):
    assert {path for path in FILES if IgnoreRules(pattern).ignores(path)} == git(pattern)


@pytest.mark.parametrize("first", ["*", "a", "a/", "/a/*", "**/b"])
def test_patterns_together_mean_what_they_mean_to_git(git, first):
    for second in ("!a", "!b", "!/a/b", "!a/", "!*.c", "# c", "x"):
        text = f"{first}\n\n{second}\r\nab\n"
        assert {path for path in FILES if IgnoreRules(text).ignores(path)} == git(text), second


# ---------------------------------------------------------------------- _headers


def dressed(text, url):
    headers = Headers({"content-type": "text/plain"})
    rules = HeaderRules(text)
    rules.apply(url, headers)
    return dict(headers), rules.warnings


def test_headers_are_given_replaced_joined_and_taken_away(make):
    project = make({"a.txt": "a", "static/x.js": "x", "_headers": """
        # a comment
        /*
          X-All: yes
          Cache-Control: public
          Cache-Control: max-age=60
        /static/*
          Cache-Control: immutable
          Content-Type: text/plain
          X-File: :splat of :splat
        /static/:name
          ! X-All
          X-Name: :name
        https://:sub.example.com/*
          X-Sub: :sub
        """})  # fmt: skip

    def headers(path):
        return {name.lower(): value for name, value in get(project, path).headers}

    assert headers("/a.txt")["x-all"] == "yes"
    assert headers("/a.txt")["cache-control"] == "public, max-age=60"
    found = headers("/static/x.js")
    assert found["cache-control"] == "public, max-age=60, immutable"
    assert found["content-type"] == "text/plain"
    assert found["x-file"] == "x.js of x.js"
    assert found["x-name"] == "x.js"
    assert "x-all" not in found
    assert "x-sub" not in found
    assert headers("/nothing")["x-all"] == "yes"  # the answer without a file too


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("http://a.example.com/x", True),
        ("https://a.example.com:8787/x", True),  # neither scheme nor port count
        ("https://a.b.example.com/x", False),
        ("https://example.com/x", False),
        ("https://a.example.com.evil/x", False),
    ],
)
def test_a_rule_may_have_a_host(url, fits):
    found, warnings = dressed("https://:sub.example.com/*\n  X-Sub: :sub", url)
    assert ("x-sub" in found, warnings) == (fits, [])


BAD_HEADERS = {
    "X: y": "has to come first",
    "/a\n  nonsense": "neither",
    "/a\n  x y: z": "not a header's name",
    "/a\n  : z": "not a header's name",
    "/a\n  X:": "no value",
    "/a\n  ! x y": "not a header's name",
    "/a\n  X: a\x00b": "no value",
    "/a\n  X: " + "a" * 2_000: "2,000 characters",
    "/*/*\n  X: y": "only one splat",
    "/:a/:a\n  X: y": "once only",
    "/:a*\n  X: y": "slash between",
    "http://example.com/\n  X: y": "https://",
    "https://example.com:80/\n  X: y": "port",
}


@pytest.mark.parametrize("text", BAD_HEADERS)
def test_a_rule_for_headers_that_is_wrong_is_left_out_with_a_warning(text):
    found, warnings = dressed(f"{text}\n/ok\n  X-Ok: yes", "http://localhost/ok")
    assert found["x-ok"] == "yes"
    assert BAD_HEADERS[text] in " ".join(warnings)
    assert "_headers, line " in warnings[0]


def test_there_are_a_hundred_rules_for_headers_and_no_more():
    text = "\n".join(f"/{n}\n  X: {n}" for n in range(101))
    assert dressed(text, "http://localhost/99")[0]["x"] == "99"
    found, warnings = dressed(text, "http://localhost/100")
    assert "x" not in found
    assert "at most 100 rules" in warnings[0]


# ---------------------------------------------------------------------- _redirects


def sent(project, path):
    told = get(project, path)
    return told.status, dict(told.headers).get("location")


def test_redirects_lead_where_they_say(make):
    project = make({"a.txt": "a", "users/id.txt": "id", "_redirects": """
        /home301 / 301
        /home302 / 302
        /default /
        /home303 / 303
        /home307 / 307
        /home308 /#part 308   # a comment
        /query /a.txt?x=1#end
        /far https://example.com/x?y=1 301
        /a.txt /elsewhere
        /caf\u00e9 /coffee
        noslash /slash
        /blog/* https://blog.example.com/:splat
        /movies/:title/:year /film/:year/:title?from=:title
        /users/* /users/id.txt 200
        /void/* /nothing.txt 200
        /late /after-the-dynamic-ones 307
        /any/* /:splat
        """})  # fmt: skip
    assert sent(project, "/home301") == (301, "/")
    assert sent(project, "/home302") == (302, "/")
    assert sent(project, "/default") == (302, "/")
    assert sent(project, "/home303") == (303, "/")
    assert sent(project, "/home307") == (307, "/")
    assert sent(project, "/home308") == (308, "/#part")
    assert sent(project, "/default?q=1") == (302, "/?q=1")
    assert sent(project, "/query?q=1") == (302, "/a.txt?x=1#end")
    assert sent(project, "/far?q=1") == (301, "https://example.com/x?y=1")
    assert sent(project, "/a.txt") == (302, "/elsewhere")  # though there is a file
    assert sent(project, "/caf%C3%A9") == (302, "/coffee")
    assert sent(project, "/noslash") == (302, "/slash")
    assert sent(project, "/blog/a/b?q=1") == (302, "https://blog.example.com/a/b?q=1")
    assert sent(project, "/movies/alien/1979") == (302, "/film/1979/alien?from=alien")
    assert sent(project, "/movies/alien") == (404, None)
    assert get(project, "/users/7").body == "id"
    assert sent(project, "/void/x") == (404, None)
    assert sent(project, "/late") == (307, "/after-the-dynamic-ones")
    for path in ("/any//evil.example", "/any/%5Cevil.example", "/any///evil.example/x"):
        status, location = sent(project, path)
        assert status == 302
        assert re.match(r"/(?![/\\])", location), path


def test_redirects_come_before_the_worker_unless_it_is_first(make):
    files = {"a.txt": "a", "_redirects": "/old /a.txt\n/gone/* /nothing 200\n"}
    assert sent(make(files, worker=True), "/old") == (302, "/a.txt")
    assert sent(make(files, worker=True), "/gone/x") == (404, None)
    assert sent(make(files, worker=True), "/other") == (299, None)
    first = make(files, worker=True, run_worker_first=True)
    assert sent(first, "/old") == (299, None)

    async def asked():
        files = first.runtime.env.ASSETS
        followed = await files.fetch("https://any/old")
        manual = await files.fetch("https://any/old", redirect="manual")
        return followed.status, await followed.text(), manual.status

    assert first.runtime.run(asked()) == (200, "a", 302)


def test_a_binding_does_not_follow_redirects_for_ever(make):
    project = make({"_redirects": "/a /b\n/b /a\n"})

    async def asked():
        return await project.runtime.env.ASSETS.fetch("https://any/a")

    with pytest.raises(TypeError, match="Too many redirects"):
        project.runtime.run(asked())
    assert sent(project, "/a") == (302, "/b")


BAD_REDIRECTS = {
    "/a": "source destination code",
    "/a /b 301 /c": "source destination code",
    "/a /b 404": "the code is one of 200, 301, 302, 303, 307, 308, not 404",
    "/a /b 302!": "the code is one of",
    "/a b": "begins with a slash or with https://",
    "/a http://example.com/": "begins with a slash or with https://",
    "/a javascript:alert(1)": "begins with a slash or with https://",
    "/a https://[": "not a URL",
    "https://example.com/a /b": "the source is a path",
    "/a https://example.com/ 200": "gives a file of the folder",
    "/* /index.html 200": "round in circles",
    "/* /index.html": "round in circles",
    "/ /index": "round in circles",
    "/*/* /b": "only one splat",
    "/:a/:a /b": "once only",
    "/ok /other": "a rule for /ok above",
    "/" + "a" * 1_000 + " /b": "1,000 characters",
}


@pytest.mark.parametrize("text", BAD_REDIRECTS)
def test_a_redirect_that_is_wrong_is_left_out_with_a_warning(text):
    rules = RedirectRules(f"/ok /fine\n{text}\n/last /fine 301\n")
    assert rules.find("/ok").to == rules.find("/last").to == "/fine"
    assert BAD_REDIRECTS[text] in rules.warnings[0]
    assert rules.warnings[0].startswith("_redirects, line 2: ")


def test_there_are_so_many_redirects_and_no_more():
    static = "\n".join(f"/{n} /to" for n in range(2_001))
    dynamic = "\n".join(f"/{n}/* /to" for n in range(101))
    rules = RedirectRules(f"{static}\n{dynamic}")
    assert rules.find("/1999")
    assert rules.find("/2000") is None
    assert rules.find("/99/x")
    assert rules.find("/100/x") is None
    assert ["2,000 static" in w or "100 dynamic" in w for w in rules.warnings] == [True, True]


def test_what_is_left_out_is_told_when_the_project_is_opened(make):
    project = make({"_redirects": "/a\n", "_headers": "nonsense\n"})
    (site,) = project.projects
    assert ["_redirects, line 1" in w or "_headers, line 1" in w for w in site.warnings] == [
        True
    ] * 2


def test_a_project_is_not_served_as_a_whole_because_no_folder_is_named(make):
    with pytest.raises(ConfigurationError, match='no "directory"'):
        make({}, directory=None)


@pytest.mark.parametrize("name", OWN)
def test_a_file_of_rules_that_cannot_be_read_is_named(make, name):
    with pytest.raises(ConfigurationError, match=rf"{name} in public cannot be read"):
        make({name: b"\xff\xfe"})


# ---------------------------------------------------------------------- patterns


def engine_pattern(text):
    """The regular expression of the engine's own asset worker."""
    text = "(?P<splat>.*)".join(map(re.escape, text.split("*")))
    return re.compile(
        re.sub(r":([A-Za-z]\w*)", r"(?P<\1>[^/]+)", text.replace(r"\:", ":")), re.DOTALL
    )


piece = st.sampled_from(["a", "b", "-", ".", "a-", "-b", ""])
segment = st.one_of(
    piece,
    st.builds("{}:x{}".format, piece, st.sampled_from(["", "-", ".", "-b"])),
    st.builds("{}:x-:y{}".format, piece, st.sampled_from(["", "-", "-b"])),
    st.sampled_from([":x:y", ":x--:y", "*", "a*", "*b", "a*b"]),
)
patterns = st.lists(segment, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
paths = st.lists(st.text("ab-.", max_size=6), min_size=1, max_size=5).map(
    lambda p: "/" + "/".join(p)
)


@given(patterns, paths)
def test_a_pattern_fits_as_the_engines_regular_expression_does(pattern, path):
    try:
        expected = engine_pattern(pattern).fullmatch(path)
    except re.error:
        with pytest.raises(PatternError):
            PathPattern(pattern)
        return
    assert PathPattern(pattern).match(path) == (expected and expected.groupdict())


@pytest.mark.parametrize(
    "pattern", ["/:a-:b-:c-:d-:e-:f.x", "/:a:b:c:d.x", "/*-:a/x", "/:a/:b/:c/*.x"]
)
def test_no_path_takes_long_to_fit_nowhere(pattern):
    """A regular expression would take the sixth power of the path's length."""
    try:
        rule = PathPattern(pattern)
    except PatternError:
        return
    for path in ("/" + "-" * 16_000, "/-" * 8_000, "/" + "a-" * 8_000):
        assert rule.match(path) is None
