"""The entry module: what is taken along, what is left behind, in which order."""

import ast

import pytest

from dobook.errors import ConfigurationError, UsageError
from dobook.export import make_project, read_notebook

HELPERS = '''# What is not needed stays.
UNUSED = "x"

# Words that nobody may say.
# Lower case.
BAD = ["darn"]
BAD.append("heck")

LIMIT = 5; OTHER = 6


def clean(text):
    """Return a text without bad words."""
    return " ".join(w for w in text.split() if w not in BAD)  # the rest


class Base:
    limit = LIMIT
'''

ROOM = """%%durable_object --binding ROOM
import json, os.path
import collections.abc as abc
from workers import DurableObject, Response as Answer
from datetime import datetime

%matplotlib inline
print("notebook only")


# The room itself.
@decorate
class Room(Base, DurableObject):
    async def say(self, text, *, at: datetime | None = None):
        # A comment inside.
        said = json.dumps(clean(text))
        return Answer(said) if isinstance(said, abc.Sized) else os.path.sep
"""

DECORATE = """import functools

def decorate(cls):
    return functools.wraps(cls)(cls)
"""


def entry(path, **options):
    return make_project(read_notebook(path), **options).files["src/entry.py"]


def test_the_module_has_what_the_classes_need_and_nothing_else(notebook):
    text = entry(notebook("%load_ext dobook", HELPERS, DECORATE, ROOM, "await env.ROOM.x()"))
    assert text.partition("class Default")[0] == (
        '''"""chat-room: Durable Objects, exported from a notebook by dobook."""

import collections.abc as abc
import functools
import json
import os.path
from datetime import datetime
from urllib.parse import urlsplit

from workers import DurableObject, Response, Response as Answer, WorkerEntrypoint

# Words that nobody may say.
# Lower case.
BAD = ["darn"]
BAD.append("heck")

LIMIT = 5


def clean(text):
    """Return a text without bad words."""
    return " ".join(w for w in text.split() if w not in BAD)  # the rest


class Base:
    limit = LIMIT


def decorate(cls):
    return functools.wraps(cls)(cls)


# The room itself.
@decorate
class Room(Base, DurableObject):
    async def say(self, text, *, at: datetime | None = None):
        # A comment inside.
        said = json.dumps(clean(text))
        return Answer(said) if isinstance(said, abc.Sized) else os.path.sep


'''
    )


def test_a_worker_of_the_notebook_is_the_default_one(notebook):
    worker = (
        "%%worker\nfrom workers import WorkerEntrypoint\n"
        "class Front(WorkerEntrypoint):\n    async def fetch(self, request): ...\n"
    )
    text = entry(notebook("%%durable_object\nfrom workers import DurableObject\n"
                          "class A(DurableObject): ...\n", worker))  # fmt: skip
    assert text.endswith('class Default(Front):\n    """Answers requests from outside."""\n')
    text = entry(notebook("%%durable_object\nfrom workers import DurableObject\n"
                          "class A(DurableObject): ...\n", worker.replace("Front", "Default")))  # fmt: skip
    assert text.count("class Default") == 1


CLASS = "from workers import DurableObject\n\n\nclass A(DurableObject):\n    n = N\n"


def test_the_last_definition_counts_also_where_it_comes_after_its_use(notebook):
    text = entry(notebook("N = 1", f"%%durable_object\n{CLASS}", "N = 2"))
    assert "N = 1" not in text
    assert text.index("N = 2") < text.index("class A")
    ast.parse(text)


def test_a_deployed_name_is_a_class_of_its_own(notebook):
    project = make_project(
        read_notebook(notebook("N = 1", f"%%durable_object --name Counter --storage kv\n{CLASS}"))
    )
    assert "class Counter(A):" in project.files["src/entry.py"]
    assert '{ "tag": "v1", "new_classes": ["Counter"] }' in project.files["wrangler.jsonc"]


@pytest.mark.parametrize(
    ("cells", "warning"),
    [
        (["N = await compute()"], "uses N, whose value awaits something in cell 1"),
        (["N = runtime.clock.now_ms"], "whose value needs the notebook to be computed in cell 1"),
        (["N = !date"], "whose value needs the notebook to be computed in cell 1"),
        ([], "A uses N, which no cell defines."),
    ],
)
def test_what_cannot_be_taken_along_is_said(notebook, cells, warning):
    project = make_project(read_notebook(notebook(*cells, f"%%durable_object\n{CLASS}")))
    assert [w for w in project.warnings if warning in w]


def test_the_notebooks_env_in_a_class_is_answered_with_self_env(notebook):
    text = f"%%durable_object\n{CLASS}\n    def x(self): return env.A\n"
    project = make_project(read_notebook(notebook("N = 1", text)))
    assert project.warnings == (
        "A uses env, which only a notebook has. In a class it is self.env.",
    )


def test_packages_of_others_are_named(notebook):
    project = make_project(
        read_notebook(notebook("import numpy as np\nN = np.pi", f"%%durable_object\n{CLASS}"))
    )
    assert 'dependencies = ["numpy"]' in project.files["pyproject.toml"]
    assert "depends on numpy" in project.warnings[0]


def test_a_line_that_only_looks_like_a_magic_is_left_in_its_text(notebook):
    text = entry(notebook('%load_ext dobook\nN = """\n%not a magic\n!neither\n"""',
                          f"%%durable_object\n{CLASS}"))  # fmt: skip
    assert 'N = """\n%not a magic\n!neither\n"""' in text


def test_cells_that_are_meant_to_fail_are_left_out(notebook):
    path = notebook(
        "N = 1",
        f"%%durable_object\n{CLASS}",
        ("%%durable_object --storage kv\nclass A: wrong = True", ["raises-exception"]),
        ("%%wrangler\n[[durable_objects.bindings]]\nname = 1", ["raises-exception"]),
    )
    assert "wrong" not in entry(path)


def test_a_given_configuration_is_the_projects(notebook):
    text = (
        '%%wrangler\nname = "Shop"\n[vars]\nGREETING = "hi"\n[[kv_namespaces]]\nbinding = "CACHE"\n'
        '[[durable_objects.bindings]]\nname = "X"\nclass_name = "A"\n'
        '[[migrations]]\ntag = "one"\nnew_classes = ["A"]\n'
    )
    project = make_project(read_notebook(notebook("N = 1", f"%%durable_object\n{CLASS}", text)))
    configuration = project.files["wrangler.jsonc"]
    assert '"name": "shop"' in configuration
    assert '{ "name": "X", "class_name": "A" }' in configuration
    assert '{ "tag": "one", "new_classes": ["A"] }' in configuration
    assert '"vars": { "GREETING": "hi" }' in configuration
    assert project.warnings == (
        "env.CACHE is Workers KV: add its binding to wrangler.jsonc by hand.",
    )


def test_renames_and_deletions_leave_the_old_classes_behind(notebook):
    path = notebook(
        "N = 1",
        f"%%durable_object\n{CLASS}",
        f"%%durable_object --renamed-from A\n{CLASS.replace('class A', 'class B')}",
        f"%%durable_object\n{CLASS.replace('class A', 'class C')}",
        "%wrangler --delete-class C",
    )
    project = make_project(read_notebook(path))
    assert "class B" in project.files["src/entry.py"]
    assert "class A" not in project.files["src/entry.py"]
    assert "class C" not in project.files["src/entry.py"]
    assert '"class_name": "B"' in project.files["wrangler.jsonc"]
    assert '{ "from": "A", "to": "B" }' in project.files["wrangler.jsonc"]
    assert '"deleted_classes": ["C"]' in project.files["wrangler.jsonc"]


def test_a_notebook_without_classes_is_refused(notebook, tmp_path):
    with pytest.raises(UsageError, match="defines no class of Durable Objects"):
        read_notebook(notebook("x = 1"))
    (tmp_path / "bad.ipynb").write_text("{", "utf-8")
    with pytest.raises(UsageError, match="cannot be read as a notebook"):
        read_notebook(tmp_path / "bad.ipynb")
    with pytest.raises(ConfigurationError):
        read_notebook(notebook(f"%%durable_object\n{CLASS}", "%%wrangler\nname = "))


def test_a_binding_without_its_class_is_refused(notebook):
    text = '%%wrangler\n[[durable_objects.bindings]]\nname = "X"\nclass_name = "Missing"\n'
    with pytest.raises(UsageError, match="binds Missing, which no %%durable_object cell defines"):
        entry(notebook("N = 1", f"%%durable_object\n{CLASS}", text))


def test_a_pattern_is_taken_along_with_what_is_made_of_it(tmp_path):
    import nbformat

    cells = [
        "%load_ext dobook\n%pattern TaskQueue",
        "%pattern Lock --binding KEY\n%pattern Lock --source",
        "%%durable_object\nclass Mail(TaskQueue):\n"
        "    async def process(self, task, number):\n        print(task)\n",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    nbformat.write(notebook, tmp_path / "mail.ipynb")
    material = read_notebook(tmp_path / "mail.ipynb")
    assert list(material.objects) == ["TaskQueue", "Lock", "Mail"]
    bindings = {b.name: b.class_name for b in material.configuration.durable_objects}
    assert bindings == {"TASK_QUEUE": "TaskQueue", "KEY": "Lock", "MAIL": "Mail"}
    entry = make_project(material).files["src/entry.py"]
    names = [node.name for node in ast.parse(entry).body if isinstance(node, ast.ClassDef)]
    assert names == ["TaskQueue", "Lock", "Mail", "Default"]
    assert entry.count("def _now()") == 1
