"""Blob and File."""

import pytest

from dobook.web import Blob, File


async def test_parts_are_joined():
    blob = Blob(["\u00e9", b"b", bytearray(b"c"), memoryview(b"d"), Blob("e")], "Text/Plain")
    assert (await blob.text(), await blob.bytes()) == ("\u00e9bcde", "\u00e9bcde".encode())
    assert (blob.size, blob.content_type, blob.type) == (6, "text/plain", "text/plain")
    assert bytes(await blob.arrayBuffer()) == await blob.bytes()
    assert [chunk async for chunk in blob.stream()] == [await blob.bytes()]


def test_a_single_part_needs_no_list_and_gives_its_type():
    assert Blob("abc").size == 3
    assert Blob(Blob("a", "text/a")).content_type == "text/a"
    assert Blob([Blob("a", "text/a")]).content_type == ""
    file = File(File("a", "old", "text/a", last_modified=5), "new")
    assert (file.name, file.content_type, file.last_modified) == ("new", "text/a", 5)


@pytest.mark.parametrize("content_type", ["caf\u00e9/x", "a\nb", "", None])
def test_a_type_that_is_not_printable_ascii_is_none(content_type):
    assert Blob("", content_type).content_type == ""


def test_other_parts_are_refused_with_the_text_of_the_sdk():
    with pytest.raises(TypeError, match="Don't know how to handle <class 'int'> for Blob"):
        Blob([5])


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(None, None, b"hello"), (1, 3, b"el"), (-2, None, b"lo"), (3, 1, b""), (0, 99, b"hello")],
)
async def test_slices(start, end, expected):
    part = Blob("hello", "text/plain").slice(start, end)
    assert (await part.bytes(), part.content_type) == (expected, "")
    assert Blob("hello").slice(1, 2, "a/b").content_type == "a/b"


def test_an_empty_blob_is_true_and_reprs_are_readable():
    assert Blob("")
    assert repr(Blob("a", "text/a")) == "Blob(size=1, content_type='text/a')"
    assert repr(File("a", "f")) == "File(name='f', size=1, content_type='')"
    assert File("a", "f", last_modified=7).lastModified == 7
    assert File("a", "f").js_object.last_modified > 1_600_000_000_000
