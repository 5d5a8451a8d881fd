"""URLs: the standard's normal form, attributes, setters, and the shortcut past the parser."""

import ada_url
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dobook.errors import PlatformTypeError
from dobook.web import URL
from dobook.web.url import _SIMPLE, delivered_url, normalise, origin, resolve

# Input, href: cases of url.spec.whatwg.org, one rule each.
NORMAL_FORMS = [
    ("http://object", "http://object/"),
    ("HTTP://OBJECT/Path", "http://object/Path"),
    ("http://object/a/../b/./c", "http://object/b/c"),
    ("http://x/a b", "http://x/a%20b"),
    ("https://x:443/", "https://x/"),
    ("https://x:80/", "https://x:80/"),
    ("http://x:080/", "http://x/"),
    ("http://x:/", "http://x/"),
    ("ws://x:80/chat", "ws://x/chat"),
    ("wss://x:443/chat", "wss://x/chat"),
    ("http:x/y", "http://x/y"),
    ("http:\\\\x\\y", "http://x/y"),
    ("http:///x/y", "http://x/y"),
    ("  http://x/\t\n", "http://x/"),
    ("ht\ntp://x/a\tb", "http://x/ab"),
    ("http://x/%2e%2E/a", "http://x/a"),
    ("http://x/a/%2e/b/..", "http://x/a/"),
    ("http://x/../../a", "http://x/a"),
    ("http://x/a%zz%41", "http://x/a%zz%41"),
    ("http://x/\u00e9?\u00e9#\u00e9", "http://x/%C3%A9?%C3%A9#%C3%A9"),
    ('http://x/"<>`{}', "http://x/%22%3C%3E%60%7B%7D"),
    ("http://x/?'\"", "http://x/?%27%22"),
    ("http://x/#a b`", "http://x/#a%20b%60"),
    ("http://u:p@x/", "http://u:p@x/"),
    ("http://u@x@y/", "http://u%40x@y/"),
    ("http://EX%41MPLE.com/", "http://example.com/"),
    ("http://b\u00fccher.example/", "http://xn--bcher-kva.example/"),
    ("http://fa\u00df.de/", "http://xn--fa-hia.de/"),
    ("http://\uff27o.com/", "http://go.com/"),
    ("http://127.1/", "http://127.0.0.1/"),
    ("http://0x7f.0.0.1/", "http://127.0.0.1/"),
    ("http://2130706433/", "http://127.0.0.1/"),
    ("http://[::1]:8080/", "http://[::1]:8080/"),
    ("http://[1:0:0:0:0:0:0:1]/", "http://[1::1]/"),
    ("http://[::ffff:1.2.3.4]/", "http://[::ffff:102:304]/"),
    ("http://x.?q", "http://x./?q"),
    ("http://a_b.c/", "http://a_b.c/"),
    ("mailto:a@b", "mailto:a@b"),
    ("data:text/plain,hi", "data:text/plain,hi"),
    ("foo://Host/a/../b", "foo://Host/b"),
]
NO_URLS = [
    "", "/path", "object/path", "relative", "http://", "http://x:99999/", "http://x:8o/",
    "http://a b/", "http://[::1", "http://256.1.1.1/", "http://x^y/", "http://%00/", "http://@/",
    "//x/y", ":80",
]  # fmt: skip


@pytest.mark.parametrize(("url", "href"), NORMAL_FORMS)
def test_normal_forms(url, href):
    assert normalise(url) == URL(url).href == str(URL(url)) == href
    assert normalise(href) == href


@pytest.mark.parametrize("url", NO_URLS)
def test_what_is_no_url_is_refused(url):
    assert normalise(url) is None
    assert not URL.canParse(url)
    assert URL.parse(url) is None
    with pytest.raises(PlatformTypeError, match=r"^Invalid URL string.$"):
        URL(url)


@pytest.mark.parametrize(
    ("url", "href"),
    [
        ("../b?c", "http://x/b?c"),
        ("/b", "http://x/b"),
        ("//y/b", "http://y/b"),
        ("?q", "http://x/a/d?q"),
        ("#f", "http://x/a/d?p#f"),
        ("", "http://x/a/d?p"),
        ("https:b", "https://b/"),
        ("http:b", "http://x/a/b"),
    ],
)
def test_relative_urls(url, href):
    assert resolve(url, "http://x/a/d?p#e") == URL(url, URL("http://x/a/d?p#e")).href == href


def test_the_attributes():
    url = URL("https://u:p@Example.com:8080/a/b?q=1#top")
    assert url.protocol == "https:"
    assert (url.username, url.password) == ("u", "p")
    assert (url.host, url.hostname, url.port) == ("example.com:8080", "example.com", "8080")
    assert (url.pathname, url.search, url.hash) == ("/a/b", "?q=1", "#top")
    assert url.origin == origin(url.href) == "https://example.com:8080"
    assert url.href == url.toString() == url.toJSON()
    assert repr(URL("http://x")) == "URL('http://x/')"


def test_assigning_attributes():
    url = URL("http://x/")
    url.protocol = "https"
    url.host = "y:81"
    url.pathname = "a b"
    url.search = "q=1"
    url.hash = "h"
    url.username = "u"
    url.password = "p"
    assert url.href == "https://u:p@y:81/a%20b?q=1#h"
    url.port = ""
    url.hostname = "z"
    assert url.host == "z"
    url.port = "not a port"
    url.host = "a b"
    url.protocol = "1"
    assert url.href == "https://u:p@z/a%20b?q=1#h"
    url.href = "ws://w"
    assert url.href == "ws://w/"
    with pytest.raises(PlatformTypeError, match="valid URL string"):
        url.href = "nowhere"


def test_search_params_and_search_are_linked_both_ways():
    url = URL("http://x/?a=1")
    params = url.searchParams
    params.append("b", "2 3")
    assert url.href == "http://x/?a=1&b=2+3"
    url.search = "?c=4"
    assert (url.searchParams is params, list(params)) == (True, [["c", "4"]])
    params.delete("c")
    assert url.href == "http://x/"
    url.href = "http://y/?d=5"
    assert params.get("d") == "5"


def test_delivered_urls_have_neither_credentials_nor_fragment():
    assert delivered_url("http://user:pw@object:80/x") == "http://object/x"
    assert delivered_url("http://object/path?q=1&r=two#frag") == "http://object/path?q=1&r=two"
    assert delivered_url("http://object/a@b?c@d") == "http://object/a@b?c@d"


hosts = st.text("aZ0.-_x%n:@[]1\u00e9", max_size=12)
rests = st.text("/?#.%2eE&=a Z'\"\\@:;~^|\t\u00e9", max_size=14)


@given(st.sampled_from(["http://", "https://", "ws:", "wss://", "HTTP://"]), hosts, rests)
@example("http://", "x", "/.")
@example("http://", "a.1", "/")
@example("https://", "a:443", "/")
@example("http://", "a", "//..")
def test_the_shortcut_never_differs_from_the_parser(scheme, host, rest):
    url = scheme + host + rest
    if _SIMPLE(url):
        assert ada_url.URL(url).href == url


@given(st.sampled_from(["http://", "https://"]), hosts, rests)
def test_a_normal_form_is_its_own_normal_form(scheme, host, rest):
    href = normalise(scheme + host + rest)
    if href is not None:
        assert normalise(href) == href
        assert delivered_url(delivered_url(href)) == delivered_url(href)


@pytest.mark.parametrize(
    "url", ["http://counter/", "https://a.example.com:8787/x/y.html?q=1&r=%20"]
)
def test_everyday_urls_take_the_shortcut(url):
    assert _SIMPLE(url)


def test_long_urls_are_not_kept():
    """Clients choose URLs: a thousand of 16 KiB in each cache would be tens of MiB."""
    from dobook.web.url import delivered_url, normalise, request_url

    caches = (normalise, request_url, delivered_url)
    for size, kept in ((2_048, 1), (2_049, 0)):
        before = [cache.cache_info().misses for cache in caches]
        url = "http://localhost/" + "z" * (size - 17)
        assert delivered_url(url) == url
        after = [cache.cache_info().misses for cache in caches]
        assert [b - a for a, b in zip(before, after, strict=True)] == [kept] * 3
