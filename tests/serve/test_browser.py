"""The chat page, used by two tabs of a real browser."""

import os
import shutil
from pathlib import Path
from urllib.parse import urlencode

import pytest

from dobook.patterns.hibernating_chat_room import HibernatingChatRoom
from dobook.serve import Server
from tests.npm import missing as missing_here

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


# Chromium keeps pages of the internet from this machine on its own; other browsers leave it to servers.
OTHERS = [
    "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets,"
    "BlockInsecurePrivateNetworkRequests"
]


@pytest.fixture(scope="module")
def browser():
    playwright = None
    try:
        from playwright.sync_api import sync_playwright as playwright
    except ModuleNotFoundError:
        missing = "the package playwright"
    else:
        missing = "" if CHROMIUM else "Chromium"
    if missing:
        missing_here(f"{missing} is not installed")
    with playwright() as running:
        browser = running.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", *OTHERS]
        )
        yield browser
        browser.close()


@pytest.fixture
def tab(browser):
    """Opens tabs in browsers of their own; complains of errors and of whatever leaves the machine."""
    complaints = []

    def open_tab(url, *, dark=False):
        context = browser.new_context(
            color_scheme="dark" if dark else "light", viewport={"width": 640, "height": 480}
        )
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda r: None if "//127.0.0.1:" in r.url else complaints.append(r.url),
        )
        page.goto(url)
        return page

    yield open_tab
    for context in browser.contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def url(runtime):
    runtime.register(HibernatingChatRoom, "CHAT")
    with Server(runtime, port=0) as server:
        yield f"{server.url}/_dobook/chat/CHAT/lobby"


def come_in(page, name):
    page.get_by_label("your name").fill(name)
    page.get_by_role("button", name="Come in").click()
    page.get_by_text(f"connected as {name}").wait_for()
    return page


def say(page, text):
    page.get_by_label("message", exact=True).fill(text)
    page.keyboard.press("Enter")


def lines(page):
    return page.locator("#log div").all_inner_texts()


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_two_tabs_talk_to_each_other_across_an_eviction(runtime, url, tab):
    started = []
    runtime.observers.add(lambda e: started.append(e) if e.kind == "started" else None)
    ada, bob = come_in(tab(url), "ada"), come_in(tab(url, dark=True), "bob")
    ada.get_by_text("bob came in").wait_for()
    say(ada, "hello, bob")
    bob.get_by_text("ada: hello, bob").wait_for()
    say(bob, "hello, <b>ada</b>")
    ada.get_by_text("bob: hello, <b>ada</b>").wait_for()

    runtime.run(runtime.evict("CHAT/lobby"))
    assert [o.state for o in runtime.objects()] == ["evicted"]
    say(ada, "still there?")
    bob.get_by_text("ada: still there?").wait_for()
    say(bob, "as ever")
    ada.get_by_text("bob: as ever").wait_for()
    assert len(started) == 2

    said = ["ada: hello, bob", "bob: hello, <b>ada</b>", "ada: still there?", "bob: as ever"]
    assert lines(ada)[-4:] == said
    assert lines(bob)[-4:] == said
    folder = os.environ.get("DOBOOK_SCREENSHOTS")
    if folder:
        Path(folder, "chat-light.png").write_bytes(ada.screenshot())
        Path(folder, "chat-dark.png").write_bytes(bob.screenshot())

    bob.close()
    ada.get_by_text("bob left").wait_for()
    eve = come_in(tab(url), "eve")
    eve.get_by_text("bob: as ever").wait_for()  # what was said before she came
    assert lines(eve)[:4] == said


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_tab_comes_back_by_itself_when_the_room_has_crashed(runtime, url, tab):
    ada = come_in(tab(url), "ada")
    say(ada, "before")
    ada.get_by_text("ada: before").wait_for()
    runtime.crash("CHAT/lobby")
    ada.get_by_text("ada came in").nth(1).wait_for()
    say(ada, "after")
    ada.get_by_text("ada: after").wait_for()


ELSEWHERE = [
    "@evil.example/", "//evil.example/", "///evil.example/", "/\\evil.example/", "\\\\evil.example/", "/\t/evil.example/",
    "https://evil.example/", "http:evil.example", "ws://evil.example/", "wss://evil.example/", ":@evil.example/",
    ".evil.example/", ":1/", ":80@evil.example/", "evil.example", "?@evil.example/", "#@evil.example/",
    "javascript:alert(1)", "data:,x", "//user@127.0.0.1/", "//127.0.0.1:1/", "http://127.0.0.1:1/", "",
]  # fmt: skip
HERE = {
    "/ROOM/a": "/ROOM/a?name=ada",
    "/ROOM/a?x=1": "/ROOM/a?x=1&name=ada",
    "/@evil.example/": "/@evil.example/?name=ada",
    "/a/..//evil.example/": "//evil.example/?name=ada",
    "/ROOM/a#part": "/ROOM/a?name=ada",
}


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_chat_page_connects_to_the_server_it_is_from_and_to_no_other(url, tab):
    page = tab(url)
    sockets = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    start = url.partition("/_dobook")[0]
    for path in ELSEWHERE:
        page.goto(f"{url}?{urlencode({'path': path, 'name': 'ada'})}")
        page.get_by_text("not connected: the path leads to no room").wait_for()
    assert sockets == []
    for path, expected in HERE.items():
        with page.expect_websocket() as opened:
            page.goto(f"{url}?{urlencode({'path': path, 'name': 'ada'})}")
        assert opened.value.url == start.replace("http", "ws") + expected


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_page_of_another_site_reaches_no_object(runtime, url, browser):
    """As a browser asks for it: an image, a script, a style, a frame, a form, a beacon, a socket."""
    start = url.partition("/_dobook")[0]
    asked = [f"{start}/CHAT/{n}/websocket" for n in range(8)]
    ways = f"""<!doctype html><img src="{asked[0]}"><script src="{asked[1]}"></script>
        <link rel="stylesheet" href="{asked[2]}"><iframe src="{asked[3]}"></iframe>
        <iframe name="in"></iframe><form target="in" action="{asked[4]}"></form><script>
        document.forms[0].submit(); navigator.sendBeacon("{asked[5]}", "x");
        fetch("{asked[6]}", {{ mode: "no-cors" }}).catch(() => 0);
        new WebSocket("{asked[7].replace("http", "ws")}");</script>"""
    answers, context = {}, browser.new_context()
    page = context.new_page()
    page.route("http://evil.example/", lambda r: r.fulfill(body=ways, content_type="text/html"))
    page.on("response", lambda r: answers.__setitem__(r.url.partition("?")[0], r.status))
    page.goto("http://evil.example/")
    page.wait_for_load_state("networkidle")
    context.close()
    del answers["http://evil.example/"]
    assert set(answers.values()) == {403}
    assert answers.keys() >= set(
        asked[:5]
    )  # Playwright tells of no beacon, and sockets have no answer
    assert runtime.objects() == []
