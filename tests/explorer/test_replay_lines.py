"""Lines from strangers: they run nothing but what the caller has given or has already."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

import dobook
import dobook.explorer.replay  # what runs lines: it is not one of them that imports it
from dobook.errors import UsageError
from dobook.explorer.code import code_hash

ran = []


class Counter:
    def __init__(self, ctx, env):
        ran.append("Counter")

    async def increment(self):
        return 1

    class Inner:
        pass


async def once(env):
    ran.append("once")
    await env.COUNTER.getByName("a").increment()


def ordinary(env):
    ran.append("ordinary")


once_again = once
CODE = code_hash(once, [Counter])
HERE = f"{__name__}:once COUNTER=Counter"


@pytest.fixture(autouse=True)
def _nothing_has_run():
    ran.clear()
    yield
    ran.clear()


def refused(line, match=r"Nothing was|cannot read|not a line|nothing like|a line (is|has)", *given):
    before = set(sys.modules)
    with pytest.raises(UsageError, match=match) as raised:
        dobook.replay(line, *given)
    assert ran == []
    assert set(sys.modules) == before
    assert len(str(raised.value)) < 800


def test_what_is_imported_and_of_the_same_code_runs():
    report = dobook.replay(f"{HERE} code={CODE} | ordinary")
    assert report.ok
    assert not report.stale
    assert ran == ["once", "Counter"]


def test_what_is_passed_runs_and_may_be_of_other_code():
    report = dobook.replay("nowhere:else COUNTER=B code=0 | ordinary", once, Counter)
    assert report.stale
    assert ran == ["once", "Counter"]


def test_what_is_imported_and_of_other_code_does_not_run():
    refused(f"{HERE} code=00000000 | ordinary", "the line is of other code.*Nothing was run")
    refused(f"{HERE} code=00000000 | ordinary", "other code", once)  # the class is only named


def test_a_module_that_is_not_imported_is_not_imported(tmp_path, monkeypatch):
    (tmp_path / "strangers_module.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    refused(f"strangers_module:once COUNTER=Counter code={CODE} | ordinary", "import the module")
    refused(f"{__name__}:once COUNTER=strangers_module:Counter code={CODE} | ordinary")
    refused(f"antigravity:fly code={CODE} | ordinary")
    refused("nowhere:scenario A=A code=00000000 | ordinary", r"dobook\.replay\(line, scenario")


@pytest.mark.parametrize(
    "scenario",
    [
        "os:system",
        "os:abort",
        "asyncio:sleep",
        "asyncio.tasks:sleep",
        "subprocess:run",
        "shutil:rmtree",
        "builtins:exec",
        "builtins:print",
        "sys:exit",
        "pytest:exit",
        "numpy:save",
        "IPython:start_ipython",
        "dobook:explore",
        f"{__name__}:ordinary",
        f"{__name__}:once_again",
        f"{__name__}:Counter",
        f"{__name__}:Counter.increment.__call__",
        f"{__name__}:Counter.__init__",
        f"{__name__}:sys.exit",
        f"{__name__}:dobook.explore",
        f"{__name__}:once.__globals__",
        f"{__name__}:nothing",
        f"{__name__}:",
        f"{__name__}:.",
        f"{__name__}:once.",
        f"{__name__}:refused.<locals>.inner",
        ":once",
        ":",
        "a.b.c:d",
        "..:x",
    ],
)
def test_what_is_not_a_scenario_of_the_callers_does_not_run(scenario):
    refused(f"{scenario} COUNTER={__name__}:Counter code={CODE} | ordinary")
    refused(f"{scenario} code={CODE} | ordinary")


@pytest.mark.parametrize(
    "cls",
    [
        "subprocess:Popen",
        "os:_wrap_close",
        "builtins:type",
        "pathlib:Path",
        "unittest.mock:Mock",
        "once",
        "ordinary",
        "Counter.increment",
        "Counter.Inner.__class__",
        "sys.exit",
        "nothing",
    ],
)
def test_what_is_not_a_class_of_the_callers_does_not_run(cls):
    refused(f"{__name__}:once COUNTER={cls} code={CODE} | ordinary")
    refused(f"{__name__}:once @worker={cls} COUNTER=Counter code={CODE} | ordinary")
    refused(f"a:b COUNTER={__name__}:{cls} code={CODE} | ordinary", r"Nothing was", once)


def test_a_module_that_computes_its_attributes_is_not_asked(monkeypatch):
    lazy = ModuleType("lazy")
    lazy.__file__ = str(Path(__file__).with_name("lazy.py"))
    lazy.__getattr__ = lambda name: ran.append(name)
    monkeypatch.setitem(sys.modules, "lazy", lazy)
    refused(f"lazy:once code={CODE} | ordinary")
    lazy.once = once  # what is only passed on by a module is not that module's
    refused(f"lazy:once COUNTER={__name__}:Counter code={CODE} | ordinary")


def test_code_that_has_no_source_is_not_known_by_its_hash(monkeypatch):
    space = {"__name__": "sourceless", "ran": ran}
    exec("async def once(env):\n    ran.append('once')", space)
    module = ModuleType("sourceless")
    vars(module).update(space, __file__=str(Path(__file__).with_name("sourceless.py")))
    monkeypatch.setitem(sys.modules, "sourceless", module)
    assert code_hash(module.once, []) == "unknown"
    refused("sourceless:once code=unknown | ordinary", "Nothing was run")


PARTS = ["", " ", ":", "=", "|", " | ", "code=", "code=x", "seed=", "seed=-1", "seed=x", "\0", "é"]
ODD = [
    "a:b",
    "a:b code=0",
    "a:b code=0 |",
    "code=0 | ordinary",
    "a:b code= | ordinary",
    "a:b code=0 seed=1e3 | ordinary",
    "a:b seed=1 code=0 | ordinary",
    f"a:b code={'0' * 65} | ordinary",
    f"a:b code=0 seed={'9' * 20} | ordinary",
    "a:b code=0 seed=\u0661 | ordinary",
    "a:b A code=0 | ordinary",
    "a:b =A code=0 | ordinary",
    "a:b A= code=0 | ordinary",
    "a:b A=A A=B code=0 | ordinary",
    "__import__('os').system('true')",
    "a:b code=0 | ordinary\n\n; __import__('os')",
    *PARTS,
    *(a + b for a in PARTS for b in PARTS),
    *(f"a:b{part}code=0{part}| {part}" for part in PARTS),
]


@pytest.mark.parametrize("line", ODD, ids=ascii)
def test_a_malformed_line_is_refused(line):
    refused(line)


@pytest.mark.parametrize(
    "line",
    [None, 5, 1.5, True, b"a:b code=0 | ordinary", [], {}, ["a:b code=0 | ordinary"]],
    ids=ascii,
)
def test_a_line_that_is_not_text_is_refused(line):
    refused(line, "a line is text, not")


@pytest.mark.parametrize(
    "line",
    [
        "a" * 10**7,
        ":" * 10**7,
        " a=b" * 10**6,
        "a:b code=0 | " + "next 1=1;" * 10**6,
        f"{'a:' * 40_000}b code=0 | ordinary",
        f"a:b{' a=b' * 20_000} code=0 | ordinary",
        f"a:{'b.' * 40_000}b code=0 | ordinary",
        f"{__name__}:once{'.x' * 40_000} code=0 | ordinary",
    ],
    ids=range(8),
)
def test_a_huge_line_is_refused_at_once(line):
    refused(line)


@pytest.mark.parametrize(
    "schedule",
    [
        "next",
        "next 1",
        "next 1=",
        "next =1",
        "next 1=-1",
        f"next 1={'9' * 5_000}",
        f"next {'9' * 5_000}=1",
        "next 1=\u0661",
        "explode COUNTER/a 1 crash",
        "write COUNTER/a 1 explode",
        "write COUNTER/a 0 crash",
        "write COUNTER/a -1 crash",
        f"write COUNTER/a {'9' * 5_000} crash",
        "message COUNTER/a 1 +ms",
        "message COUNTER/a 1 +-5ms",
        f"message COUNTER/a 1 +{'9' * 5_000}ms",
        "message COUNTER/a 1 +5",
        "write COUNTER/a 1",
        "ordinary ordinary",
        "'ordinary'",
        "*" * 50_000,
    ],
    ids=lambda text: text[:30],
)
def test_a_schedule_that_cannot_be_read_is_refused_before_anything_runs(schedule):
    refused(f"{HERE} code={CODE} | {schedule}", "cannot read|nothing like")
    refused(f"{HERE} code={CODE} | {schedule}", "cannot read|nothing like", once, Counter)
