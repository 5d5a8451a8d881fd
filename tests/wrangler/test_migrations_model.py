"""Random histories of migrations leave what a plain model says, in memory, on disk, after restarts.

Source: developers.cloudflare.com/durable-objects/reference/durable-objects-migrations/
"""

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from dobook import Runtime
from dobook.wrangler import Configuration, DurableObjectBinding, Migration, Rename, deploy
from dobook.wrangler.record import read


class Kept:
    def __init__(self, ctx, env):
        self.storage = ctx.storage

    async def write(self, value):
        await self.storage.put("v", value)

    async def read(self):
        return await self.storage.get("v")


NAMES = ("Ant", "Bee", "Cat", "Dog")
OBJECTS = ("x", "y")
values = st.integers(0, 99)
picks = st.integers(0, 99)


class Migrating(RuleBasedStateMachine):
    """Classes come, change their names and go; data and ids stay with the class they belong to."""

    path: Path | None = None

    def __init__(self):
        super().__init__()
        self.migrations = []
        self.model = {}  # class: values by object
        self.ids = {}  # class: the ids it gives its objects' names
        self.runtime = Runtime(self.path)

    def deploy(self, **parts):
        self.migrations.append(Migration(f"v{len(self.migrations) + 1}", **parts))
        self.put()

    def put(self):
        bindings = tuple(DurableObjectBinding(n.upper(), n) for n in self.model)
        configuration = Configuration(
            name="w", durable_objects=bindings, migrations=tuple(self.migrations)
        )
        deploy(self.runtime, configuration, dict.fromkeys(self.model, Kept))

    def stub(self, name, which):
        return self.runtime.namespace(name.upper()).getByName(which)

    def one_of(self, names, pick):
        return sorted(names)[pick % len(names)]

    @precondition(lambda self: len(self.model) < len(NAMES))
    @rule(pick=picks, sqlite=st.booleans())
    def create(self, pick, sqlite):
        name = self.one_of(set(NAMES) - self.model.keys(), pick)
        self.model[name] = {}
        kind = "new_sqlite_classes" if sqlite else "new_classes"
        self.deploy(**{kind: (name,)})
        self.ids[name] = [self.stub(name, o).id for o in OBJECTS]

    @precondition(lambda self: 0 < len(self.model) < len(NAMES))
    @rule(pick=picks, other=picks)
    def rename(self, pick, other):
        source = self.one_of(self.model, pick)
        target = self.one_of(set(NAMES) - self.model.keys(), other)
        self.model[target], self.ids[target] = self.model.pop(source), self.ids.pop(source)
        self.deploy(renamed_classes=(Rename(source, target),))

    @precondition(lambda self: self.model)
    @rule(pick=picks)
    def delete(self, pick):
        name = self.one_of(self.model, pick)
        del self.model[name], self.ids[name]
        self.deploy(deleted_classes=(name,))

    @precondition(lambda self: self.model)
    @rule(pick=picks, which=st.sampled_from(OBJECTS), value=values)
    def write(self, pick, which, value):
        name = self.one_of(self.model, pick)
        self.runtime.run(self.stub(name, which).write(value))
        self.model[name][which] = value

    @precondition(lambda self: self.path is not None)
    @rule()
    def restart(self):
        self.runtime.close()
        self.runtime = Runtime(self.path)
        self.put()

    @invariant()
    def everything_is_where_the_model_has_it(self):
        for name, kept in self.model.items():
            assert [self.stub(name, o).id for o in OBJECTS] == self.ids[name]
            for which in OBJECTS:
                assert self.runtime.run(self.stub(name, which).read()) == kept.get(which)
        keys = [c.unique_key for c in read(self.runtime, "w").classes]
        assert len({*keys}) == len(keys) == len(self.model)

    def teardown(self):
        self.runtime.close()


SHORT = settings(max_examples=12, stateful_step_count=15)


def test_in_memory():
    run_state_machine_as_test(Migrating, settings=SHORT)


@pytest.mark.slow
def test_in_a_state_directory():
    class OnDisk(Migrating):
        def __init__(self):
            self.folder = tempfile.TemporaryDirectory()
            self.path = Path(self.folder.name) / "state"
            super().__init__()

        def teardown(self):
            super().teardown()
            self.folder.cleanup()

    run_state_machine_as_test(OnDisk, settings=SHORT)
