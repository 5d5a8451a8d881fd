"""Names from files become paths only if they are one segment on every platform."""

import re
import sys
import unicodedata
from pathlib import PurePath, PureWindowsPath

import pytest

from dobook import Runtime
from dobook.errors import StateDirectoryError
from dobook.storage.names import (
    MAX_SEGMENT_BYTES,
    check_place,
    check_unique_key,
    flaw_of,
    is_identity,
    is_segment,
)

IDENTITY = "0123456789abcdef" * 4
DEVICES = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
DEVICES += [f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789¹²³"]
NOT_TEXT = [None, 0, 1, -1, 1.5, True, b"", b"worker-Counter", [], {}, ("a",), object()]


@pytest.mark.parametrize(
    "name",
    [
        "worker-Counter",
        "my_worker-Counter",
        "-Counter",
        "worker-Zähler",
        "worker-計数器",
        "worker-$Counter",
        "worker-Counter.v2",
        "a b",
        "console-Con",
        "COM10",
        "nulls",
        "dobook",
        "a~b",
        "~a",
        "a" * MAX_SEGMENT_BYTES,
        "é" * (MAX_SEGMENT_BYTES // 2),
    ],
)
def test_ordinary_names_are_segments(name, tmp_path):
    assert flaw_of(name) is None
    assert check_unique_key(name, "a file") == name
    (tmp_path / name).mkdir()  # and the file system agrees
    assert (tmp_path / name).resolve().parent == tmp_path.resolve()


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "...",
        "../victim",
        "..\\victim",
        "../../un/escaped",
        "a/b",
        "a\\b",
        "/etc/passwd",
        "\\\\server\\share",
        "//server/share",
        "C:",
        "C:\\Windows",
        "c:relative",
        "a:stream",
        "worker-Counter::$DATA",
        "a\0b",
        "\0",
        ".dobook",
        ".DOBOOK",
        ".Dobook",
        ".git",
        ".hidden",
        ".\u200cdobook",
        "\u200c.dobook",
        "\uff0e\uff0e",  # full-width dots
        "‥",  # two dot leader
        "\uff0edobook",
        "a\uff0fb",  # full-width solidus
        "a\uff3cb",
        "DOBOOK~1",
        "dobook~1",
        "WORKER~2",
        "a.",
        "a ",
        " a",
        " ",
        "a. ",
        "a\n",
        "a\u2028b",
        "a\u202eb",
        "\ufeffa",
        "\ud800",
        "a\udfffb",
        "a" * (MAX_SEGMENT_BYTES + 1),
        "é" * (MAX_SEGMENT_BYTES // 2 + 1),
        "a" * 10_000_000,
    ],
)
def test_what_leads_elsewhere_is_refused(name):
    assert not is_segment(name)
    with pytest.raises(StateDirectoryError, match=r"^the journal names a class ") as raised:
        check_place(name, IDENTITY, "the journal")
    assert len(str(raised.value)) < 600
    assert str(raised.value).isprintable()


def test_every_control_character_and_separator_is_refused_anywhere():
    bad = [chr(code) for code in range(0x20)] + [chr(code) for code in range(0x7F, 0xA0)]
    for character in [*bad, *'/\\:*?"<>|', "\u2028", "\u2029", "\u200b", "\u200e", "\u2066"]:
        for name in (character, f"{character}a", f"a{character}", f"a{character}b"):
            assert not is_segment(name), ascii(name)


def test_every_other_character_of_ascii_is_allowed_inside():
    for code in range(0x20, 0x7F):
        character = chr(code)
        assert is_segment(f"a{character}b") is (character not in '/\\:*?"<>|'), character


def test_no_character_makes_a_segment_into_two_or_a_hidden_one():
    changed = [
        chr(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.normalize("NFKC", chr(code)) != chr(code)
    ]
    assert len(changed) > 4_000
    for character in changed:
        for name in (f"a{character}b", f"{character}a"):
            if is_segment(name):
                plain = unicodedata.normalize("NFKC", name)
                assert not re.search(r"[/\\\0]", plain), ascii(name)
                assert not plain.startswith("."), ascii(name)
                assert PurePath(name).name == PureWindowsPath(name).name == name


@pytest.mark.parametrize("device", DEVICES)
def test_devices_of_windows_are_refused_in_every_spelling(device):
    for name in (device, device.lower(), device.title(), f"{device}.txt", f"{device}.a.b"):
        assert not is_segment(name), name
    for name in (f"{device} .txt", f"{device.lower()}  .sqlite"):
        assert not is_segment(name), name
    assert is_segment(f"worker-{device}")
    assert is_segment(f"{device}x")


@pytest.mark.skipif(sys.version_info < (3, 13), reason="Python has it from 3.13 on")
@pytest.mark.parametrize("device", DEVICES)
def test_python_knows_no_device_that_is_allowed(device):
    import ntpath

    for name in (device, f"{device}.txt", f"{device}x", f"x{device}", f"{device} .a"):
        assert not (ntpath.isreserved(name) and is_segment(name))


@pytest.mark.parametrize("value", NOT_TEXT)
def test_a_name_that_is_not_text_is_refused(value):
    assert not is_segment(value)
    assert not is_identity(value)
    for place in ((value, IDENTITY), ("worker-Counter", value)):
        with pytest.raises(StateDirectoryError, match=r"NULL|of type|id b'"):
            check_place(*place, "x.dobook")


@pytest.mark.parametrize(
    "identity",
    [
        "",
        IDENTITY[:-1],
        IDENTITY + "0",
        IDENTITY.upper(),
        IDENTITY + "\n",
        IDENTITY[:-1] + "g",
        IDENTITY[:-1] + "\u0660",  # a digit, of another script
        IDENTITY[:-1] + "\uff10",
        " " + IDENTITY[1:],
        "../" + IDENTITY[3:],
        "0x" + IDENTITY[2:],
        IDENTITY[:-1] + "\0",
        "a" * 10_000_000,
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_an_id_is_64_lower_case_hex_digits(identity):
    assert not is_identity(identity)
    with pytest.raises(StateDirectoryError, match="64 lower-case hex digits") as raised:
        check_place("worker-Counter", identity, "x.dobook")
    assert len(str(raised.value)) < 400


def test_the_ids_that_a_runtime_makes_are_ids():
    class Counter:
        pass

    with Runtime() as runtime:
        counters = runtime.register(Counter)
        made = [counters.idFromName(name).toString() for name in ("a", "", "../x", "é")]
        made.append(counters.newUniqueId().toString())
        for identity in made:
            assert check_place(counters.unique_key, identity, "x") == (
                counters.unique_key,
                identity,
            )
