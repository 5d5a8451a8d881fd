"""The project's English: coined phrases per tree, which may only become fewer.

A sentence that has to be read twice costs every reader, so the phrases below are counted where
people read: in docstrings, comments and texts of the code, in the docs, and in the notebooks' own
cells. Their outputs are not counted, because they repeat what the package says.
"""

import io
import json
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# The most hits in each tree. Lower a number after removing some; never raise one.
MAXIMA = {"dobook": 17, "docs": 0, "notebooks": 0, "README.md": 0}

# What not to write, with what to write instead.
PHRASES = {
    r"\bHave \S+": "the verb itself: Flush, Register, Queue",
    r"\bhave (?:it|them) (?:[a-z]+ed|done|kept|made|sent|written)\b": "the verb itself",
    r"\b(?:is|are|was|were|be) none\b": "is not one, does not exist, or None",
    r"\b(?:is|are|was|were) no [A-Za-z]+": "is not a",
    r"\bwhoever\b": "the caller, the owner, the client",
    r"\bwhom\b": "the caller, the owner, the client",
    r"\bWhose\b(?=[.,;:])": "the thing's name",
    r"\b(?:go|goes|going|gone|went) on\b": "continue, keep running",
    r"\b(?:say|says|said) so\b(?! far)": "raises, warns, reports",
    r"\b(?:is|are|was|were|be|been) told\b": "is notified, gets",
    r"\b(?:come|comes|came|coming) into being\b": "is created",
    r"\bof before\b": "earlier, existing",
    r"\bby (?:itself|himself|herself|themselves)\b": "on its own",
    r"\bat that(?=[.,;:!)])": "leave it out",
    r"\bdear\b": "expensive",
    r"\ba crowd\b": "load, many clients",
    r"\ba speech\b": "output, a long text",
    r"\bto take along\b": "Key points",
}

# Ordinary English that the expressions above would catch.
ORDINARY = (
    r"\b(?:go|goes|going|went) on (?:strike|sale|holiday)\b",
    r"\bHave a (?:look|try)\b",
    r"\b[Tt]here (?:is|are|was|were) no(?:ne)?\b",  # "if there is none" is the plain way
    r"\b(?:is|are|was|were) no (?:longer|more|fewer|less|later|earlier|better|worse)\b",
    r"\b(?:is|are|was|were|be) told apart\b",
)

# A phrase may be broken at the end of a line.
_COINED = re.compile("|".join(f"({phrase})" for phrase in PHRASES).replace(" ", r"\s+"))
_ORDINARY = re.compile("|".join(ORDINARY).replace(" ", r"\s+"))
_ADVICE = tuple(PHRASES.values())


def passages_of(path: Path) -> list[tuple[int, str]]:
    """Return what people read of a file: where it begins (a line, or a cell's number), and the text."""
    text = path.read_text("utf-8")
    if path.suffix == ".py":
        return passages_of_code(text)
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        return [(number, "".join(cell["source"])) for number, cell in enumerate(cells, 1)]
    return [(1, text)]


def passages_of_code(text: str) -> list[tuple[int, str]]:
    """Return the strings and comments of some code; comments in lines that follow are one."""
    found: list[tuple[int, str]] = []
    last_comment = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        row = token.start[0]
        if token.type == tokenize.COMMENT:
            words = token.string.lstrip("#")
            if last_comment == row - 1 and not token.line[: token.start[1]].strip():
                first, before = found.pop()
                found.append((first, f"{before}\n{words}"))
            else:
                found.append((row, words))
            last_comment = row
        elif tokenize.tok_name[token.type] in ("STRING", "FSTRING_MIDDLE"):
            found.append((row, token.string))
    return found


def coined_in(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield the coined phrases of a text: how many lines down, the phrase, and what to write."""
    text = _ORDINARY.sub(lambda found: re.sub(r"\S", "·", found[0]), text)
    for found in _COINED.finditer(text):
        down = text.count("\n", 0, found.start())
        yield down, " ".join(found[0].split()), _ADVICE[found.lastindex - 1]


def hits_in(tree: str) -> list[str]:
    """Return a line for each coined phrase below a folder of the project, or in a file."""
    top = ROOT / tree
    hits = []
    for path in [top] if top.is_file() else sorted(top.rglob("*")):
        if path.suffix not in (".py", ".md", ".ipynb") or ".ipynb_checkpoints" in path.parts:
            continue
        for first, text in passages_of(path):
            for down, phrase, advice in coined_in(text):
                place = f"cell {first}" if path.suffix == ".ipynb" else first + down
                hits.append(f"{path.relative_to(ROOT)}:{place}: not {phrase!r}, but: {advice}")
    return hits


@pytest.mark.parametrize("tree", MAXIMA)
def test_coined_phrases_become_fewer(tree):
    hits = hits_in(tree)
    assert len(hits) <= MAXIMA[tree], "\n".join(["say it plainly:", *hits])


@pytest.mark.parametrize(
    "sentence",
    [
        "Have the alarm run again.",
        "Have SQLite check it.",
        "to have it kept for you",
        "a card that is none",
        "This is no error.",
        "known to whoever\n    asks",
        "the client whom it serves",
        "The clock goes\n# on.",
        "It says so, and the client is told.",
        "An object comes into being by itself.",
        "stubs of before; late at that.",
        "A query is dear, and a crowd sends many.",
    ],
)
def test_a_coined_phrase_is_found(sentence):
    assert [*coined_in(sentence.replace("#", " "))]


@pytest.mark.parametrize(
    "sentence",
    [
        "The drivers go on strike.",
        "None if there is none",
        "It is no longer open, and no text.",
        "Two keys can be told apart.",
        "Objects have a name, and dearest friends.",
        "x if found is None else y",
        "What have you stored?",
        "a crowded room at that time",
    ],
)
def test_ordinary_english_is_not(sentence):
    assert not [*coined_in(sentence)]


def test_of_code_only_comments_and_strings_count():
    code = "x = None  # it goes\n# on\ny = x is None\nwhom = 'nobody is told'\n"
    found = [phrase for _, text in passages_of_code(code) for _, phrase, _ in coined_in(text)]
    assert found == ["goes on", "is told"]
