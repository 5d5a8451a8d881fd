"""Migrations as the platform has them: what follows, what is gone, what is refused, in its words."""

import time

import pytest

from dobook.errors import DeploymentError, UsageError
from dobook.runtime.access import kernel_of
from dobook.wrangler import Configuration, deploy, parse
from dobook.wrangler.migrations import pending
from dobook.wrangler.record import Deployed, read


class Counter:
    def __init__(self, ctx, env):
        self.ctx = ctx

    async def add(self):
        n = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        return n

    async def ring(self):
        await self.ctx.storage.setAlarm(time.time() * 1000 + 60_000)

    async def alarm(self):
        await self.ctx.storage.put("rung", "yes")

    async def rung(self):
        return await self.ctx.storage.get("rung")

    def sql(self):
        return self.ctx.storage.sql.exec("SELECT 1 AS one").one()["one"]


class Tally(Counter):
    async def tally(self):
        return await self.ctx.storage.get("n") or 0


BOUND = '[[durable_objects.bindings]]\nname = "COUNTER"\nclass_name = "%s"\n'
V1 = '[[migrations]]\ntag = "v1"\nnew_sqlite_classes = ["Counter"]\n'
V2_RENAME = '[[migrations]]\ntag = "v2"\nrenamed_classes = [{from = "Counter", to = "Tally"}]\n'
V2_DELETE = '[[migrations]]\ntag = "v2"\ndeleted_classes = ["Counter"]\n'
BOTH = {"Counter": Counter, "Tally": Tally}


def put(runtime, text, classes=BOTH, **options):
    options.setdefault("complete", False)
    return deploy(runtime, parse(text), classes, **options)


def counter(runtime, name="a"):
    return runtime.env.COUNTER.getByName(name)


# ---------------------------------------------------------------------- new classes


def test_a_new_class_is_created_once_and_bound(runtime):
    first = put(runtime, BOUND % "Counter" + V1)
    assert first.done == ("v1: Counter is new, with storage: SQLite and key-value",)
    assert runtime.run(counter(runtime).add()) == 1
    again = put(runtime, BOUND % "Counter" + V1)
    assert again.done == ()
    assert again.tag == "v1"
    assert runtime.run(counter(runtime).add()) == 2


def test_the_storage_is_the_one_the_migration_names(runtime):
    put(runtime, BOUND % "Counter" + V1.replace("new_sqlite_classes", "new_classes"))
    with pytest.raises(Exception, match="SQL is not enabled for this Durable Object class"):
        runtime.run(counter(runtime).sql())


def test_forgetting_the_migration_is_the_error_everyone_meets(runtime):
    with pytest.raises(DeploymentError) as raised:
        put(runtime, BOUND % "Counter")
    assert str(raised.value) == (
        "Cannot create binding for class 'Counter' because it is not currently configured to "
        "implement Durable Objects. Ensure a --new-class migration has been applied to it. "
        "[code: 10061]"
    )
    assert raised.value.code == 10061
    assert 'new_sqlite_classes = ["Counter"]' in raised.value.__notes__[0]
    assert "COUNTER" not in runtime.env


def test_a_class_that_the_code_does_not_have_is_refused_or_waited_for(runtime):
    text = BOUND % "Counter" + V1
    with pytest.raises(DeploymentError, match=r"not exported by script\. \[code: 10070\]"):
        put(runtime, text, {}, complete=True)
    waiting = put(runtime, text, {})
    assert waiting.waiting == ("Counter",)
    assert waiting.tag is None
    assert read(runtime, "dobook").classes == ()


def test_a_binding_of_a_class_that_left_the_code_is_refused(runtime):
    put(runtime, BOUND % "Counter" + V1)
    with pytest.raises(DeploymentError, match=r"not exported by the script \[code: 10061\]"):
        put(runtime, BOUND % "Counter" + V1, {}, complete=True)


# ---------------------------------------------------------------------- renamed classes


def test_data_ids_and_alarms_follow_a_rename(runtime):
    put(runtime, BOUND % "Counter" + V1)
    runtime.run(counter(runtime).add())
    runtime.run(counter(runtime).ring())
    before = counter(runtime).id
    done = put(runtime, BOUND % "Tally" + V1 + V2_RENAME).done
    assert done == ("v2: Counter is now Tally; objects, ids and data stay",)
    assert counter(runtime).id == before
    assert runtime.run(counter(runtime).tally()) == 1
    assert [run.outcome for run in runtime.advance("1m")] == ["ok"]
    assert runtime.run(counter(runtime).rung()) == "yes"
    assert [n.class_name for n in kernel_of(runtime).namespaces] == ["Tally"]


def test_a_first_deployment_may_already_have_renamed(runtime):
    put(runtime, BOUND % "Tally" + V1 + V2_RENAME, {"Tally": Tally}, complete=True)
    assert runtime.run(counter(runtime).tally()) == 0


def test_the_old_name_of_a_renamed_class_can_be_used_again_and_is_another_class(runtime):
    put(runtime, BOUND % "Counter" + V1)
    runtime.run(counter(runtime).add())
    v3 = V1.replace("v1", "v3")
    more = (BOUND % "Counter").replace("COUNTER", "SECOND")
    put(runtime, BOUND % "Tally" + more + V1 + V2_RENAME + v3)
    assert runtime.run(counter(runtime).tally()) == 1
    assert runtime.run(runtime.env.SECOND.getByName("a").add()) == 1
    assert runtime.env.SECOND.getByName("a").id != counter(runtime).id
    keys = [c.unique_key for c in read(runtime, "dobook").classes]
    assert keys == ["dobook-Counter", "dobook-Counter-2"]


def test_the_folder_of_a_renamed_class_is_not_taken_for_another_workers(open_runtime, tmp_path):
    with open_runtime(tmp_path / "s") as runtime:
        put(runtime, BOUND % "Counter" + V1)
        runtime.run(counter(runtime).add())
        put(runtime, BOUND % "Tally" + V1 + V2_RENAME)
    with open_runtime(tmp_path / "s") as runtime:  # a warning would be an error here
        more = (BOUND % "Counter").replace("COUNTER", "SECOND")
        put(runtime, more + BOUND % "Tally" + V1 + V2_RENAME + V1.replace("v1", "v3"))
        assert runtime.run(counter(runtime).tally()) == 1


def test_a_rename_onto_a_class_that_exists_is_refused(runtime):
    put(runtime, BOUND % "Counter" + V1.replace('["Counter"]', '["Counter", "Tally"]'))
    with pytest.raises(DeploymentError, match="rename-class migration to class 'Tally' that is al"):
        put(runtime, BOUND % "Tally" + V1 + V2_RENAME)


@pytest.mark.parametrize("step", [V2_RENAME, V2_DELETE], ids=["rename", "delete"])
def test_what_is_not_there_cannot_be_renamed_or_deleted(runtime, step):
    with pytest.raises(DeploymentError, match="_classes migration to non-existent class Counter"):
        put(runtime, step)


# ---------------------------------------------------------------------- deleted classes


def test_data_and_alarms_are_gone_after_a_delete(runtime):
    put(runtime, BOUND % "Counter" + V1)
    namespace, stub = runtime.env.COUNTER, counter(runtime)
    runtime.run(stub.add())
    runtime.run(stub.ring())
    done = put(runtime, V1 + V2_DELETE).done
    assert done == ("v2: Counter is deleted, with all its objects and their data",)
    assert runtime.advance("1h") == []
    assert "COUNTER" not in runtime.env
    with pytest.raises(Exception, match=r"class was deleted|Counter is gone"):
        runtime.run(stub.add())
    with pytest.raises(UsageError, match=r"^Counter is gone"):
        runtime.run(namespace.getByName("b").add())
    assert runtime.objects() == []
    v3 = V1.replace("v1", "v3")
    put(runtime, BOUND % "Counter" + V1 + V2_DELETE + v3)
    assert runtime.run(counter(runtime).add()) == 1
    assert runtime.run(counter(runtime).rung()) is None


def test_nothing_of_a_deleted_class_is_left_on_disk(open_runtime, tmp_path):
    runtime = open_runtime(tmp_path / "s")
    put(runtime, BOUND % "Counter" + V1)
    for name in "abc":
        runtime.run(counter(runtime, name).add())
        runtime.run(counter(runtime, name).sql())
    folder = tmp_path / "s" / "dobook-Counter"
    assert len(list(folder.glob("*.sqlite"))) >= 3
    put(runtime, V1 + V2_DELETE)
    assert not folder.exists()
    runtime.close()
    assert not folder.exists()


def test_a_class_that_is_not_in_memory_is_deleted_as_well(open_runtime, tmp_path):
    with open_runtime(tmp_path / "s") as runtime:
        put(runtime, BOUND % "Counter" + V1)
        runtime.run(counter(runtime).add())
    with open_runtime(tmp_path / "s") as runtime:
        put(runtime, V1 + V2_DELETE, {}, complete=True)
        assert not (tmp_path / "s" / "dobook-Counter").exists()
        v3 = V1.replace("v1", "v3")
        put(runtime, BOUND % "Counter" + V1 + V2_DELETE + v3)
        assert runtime.run(counter(runtime).add()) == 1


def test_a_delete_with_a_binding_that_is_still_there_is_refused_and_keeps_the_data(runtime):
    put(runtime, BOUND % "Counter" + V1)
    runtime.run(counter(runtime).add())
    with pytest.raises(DeploymentError) as raised:
        put(runtime, BOUND % "Counter" + V1 + V2_DELETE)
    assert str(raised.value) == (
        "Cannot apply --delete-class migration to class 'Counter' without also removing the binding "
        "that references it. [code: 10061]"
    )
    assert runtime.run(counter(runtime).add()) == 2


def test_dropping_a_class_from_the_code_while_it_has_objects_is_refused(runtime):
    put(runtime, BOUND % "Counter" + V1)
    runtime.run(counter(runtime).add())
    with pytest.raises(DeploymentError, match=r"does not export class 'Counter' .* \[code: 10064"):
        put(runtime, V1, {}, complete=True)


# ---------------------------------------------------------------------- the back end


@pytest.mark.parametrize(
    ("first", "then", "kind"),
    [
        ("new_classes", "new_sqlite_classes", "new-sqlite-class"),
        ("new_sqlite_classes", "new_classes", "new-class"),
    ],
)
def test_the_storage_of_a_class_cannot_be_changed(runtime, first, then, kind):
    v1 = V1.replace("new_sqlite_classes", first)
    put(runtime, BOUND % "Counter" + v1)
    v2 = V1.replace("v1", "v2").replace("new_sqlite_classes", then)
    with pytest.raises(DeploymentError) as raised:
        put(runtime, BOUND % "Counter" + v1 + v2)
    assert str(raised.value) == (
        f"Cannot apply {kind} migration to class 'Counter' that is already depended on by existing "
        "Durable Objects [code: 10074]"
    )
    assert "its storage is what it was created with, for good" in raised.value.__notes__[0]


def test_editing_a_migration_that_was_applied_does_nothing_and_says_so(runtime):
    put(runtime, BOUND % "Counter" + V1)
    changed = put(runtime, BOUND % "Counter" + V1.replace("new_sqlite_classes", "new_classes"))
    assert changed.done == ()
    assert changed.warnings[0].startswith("migration v1 was applied as it was then")
    assert put(runtime, BOUND % "Counter" + V1).warnings == ()
    assert runtime.run(counter(runtime).sql()) == 1


# ---------------------------------------------------------------------- tags


def test_migrations_after_the_applied_tag_are_pending():
    configuration = parse(V1 + V2_RENAME)
    assert [m.tag for m in pending(configuration, Deployed("w"))[0]] == ["v1", "v2"]
    assert [m.tag for m in pending(configuration, Deployed("w", tag="v1"))[0]] == ["v2"]
    assert pending(configuration, Deployed("w", tag="v2")) == ((), [])


def test_a_tag_that_the_file_has_lost_makes_all_migrations_pending_with_wranglers_warning(runtime):
    put(runtime, BOUND % "Counter" + V1)
    renumbered = V1.replace("v1", "one")
    with pytest.raises(DeploymentError, match="10074"):
        put(runtime, BOUND % "Counter" + renumbered)
    _, (warning,) = pending(parse(renumbered), read(runtime, "dobook"))
    assert 'has a migration tag "v1", which was not found in your wrangler.toml file' in warning


def test_what_was_deployed_is_remembered_in_a_state_directory(open_runtime, tmp_path):
    with open_runtime(tmp_path / "s") as runtime:
        put(runtime, BOUND % "Counter" + V1)
        runtime.run(counter(runtime).add())
        put(runtime, BOUND % "Tally" + V1 + V2_RENAME)
        known = read(runtime, "dobook")
    with open_runtime(tmp_path / "s") as runtime:
        assert read(runtime, "dobook") == known
        assert put(runtime, BOUND % "Tally" + V1 + V2_RENAME).done == ()
        assert runtime.run(counter(runtime).tally()) == 1


def test_a_refused_deployment_changes_nothing(runtime):
    put(runtime, BOUND % "Counter" + V1)
    before = read(runtime, "dobook")
    bad = V2_RENAME + '[[migrations]]\ntag = "v3"\ndeleted_classes = ["Nobody"]\n'
    with pytest.raises(DeploymentError, match="non-existent class Nobody"):
        put(runtime, BOUND % "Tally" + V1 + bad)
    assert read(runtime, "dobook") == before
    assert runtime.run(counter(runtime).add()) == 1


# ---------------------------------------------------------------------- several Workers


def test_a_transfer_brings_the_objects_of_another_worker(runtime):
    put(runtime, 'name = "old"\n' + BOUND % "Counter" + V1)
    runtime.run(counter(runtime).add())
    identity = counter(runtime).id
    moved = (
        '[[migrations]]\ntag = "v1"\n'
        'transferred_classes = [{from = "Counter", from_script = "old", to = "Tally"}]\n'
    )
    done = put(runtime, 'name = "new"\n' + BOUND % "Tally" + moved).done
    assert done[0].startswith("v1: Counter of old is now Tally of this Worker")
    assert counter(runtime).id == identity
    assert runtime.run(counter(runtime).tally()) == 1
    assert read(runtime, "old").classes == ()


def test_a_transfer_from_nowhere_is_refused(runtime):
    moved = (
        '[[migrations]]\ntag = "v1"\n'
        'transferred_classes = [{from = "A", from_script = "old", to = "Tally"}]\n'
    )
    with pytest.raises(DeploymentError, match="script 'old', which does not exist"):
        put(runtime, BOUND % "Tally" + moved)


def test_a_binding_reaches_another_workers_class(runtime):
    put(runtime, 'name = "one"\n' + BOUND % "Counter" + V1)
    theirs = '[[durable_objects.bindings]]\nname = "THEIRS"\nclass_name = "Counter"\n'
    put(runtime, f'name = "two"\n{theirs}script_name = "one"\n')
    assert runtime.env.THEIRS is runtime.env.COUNTER
    with pytest.raises(DeploymentError, match="in script 'six' that does not exist"):
        put(runtime, f'name = "two"\n{theirs}script_name = "six"\n')


# ---------------------------------------------------------------------- bindings


def test_a_class_may_have_two_bindings_and_lose_one(runtime):
    second = (BOUND % "Counter").replace("COUNTER", "SECOND")
    put(runtime, BOUND % "Counter" + second + V1)
    runtime.run(counter(runtime).add())
    assert runtime.run(runtime.env.SECOND.getByName("a").add()) == 2
    put(runtime, second + V1)
    assert "COUNTER" not in runtime.env
    assert runtime.run(runtime.env.SECOND.getByName("a").add()) == 3


def test_bindings_of_two_classes_can_change_places(runtime):
    both = V1.replace('["Counter"]', '["Counter", "Tally"]')
    x, y = (BOUND % "Counter").replace("COUNTER", "X"), (BOUND % "Tally").replace("COUNTER", "Y")
    put(runtime, x + y + both)
    runtime.run(runtime.env.X.getByName("a").add())
    x, y = (BOUND % "Counter").replace("COUNTER", "Y"), (BOUND % "Tally").replace("COUNTER", "X")
    put(runtime, x + y + both)
    assert runtime.env.X.class_name == "Tally"
    assert runtime.run(runtime.env.Y.getByName("a").add()) == 2


def test_the_alarm_of_a_class_without_binding_still_rings(runtime):
    put(runtime, BOUND % "Counter" + V1)
    runtime.run(counter(runtime).ring())
    put(runtime, V1)
    assert "COUNTER" not in runtime.env
    assert [run.outcome for run in runtime.advance("1m")] == ["ok"]


def test_variables_come_and_go_with_the_configuration(runtime):
    put(runtime, '[vars]\nA = "x"\nB = { c = [1] }\n[[kv_namespaces]]\nbinding = "CACHE"\n')
    assert runtime.env.A == "x"
    assert runtime.env.B == {"c": [1]}
    with pytest.raises(UsageError, match=r"^env\.CACHE is Workers KV"):
        _ = runtime.env.CACHE.get
    put(runtime, '[vars]\nA = "y"\n')
    assert runtime.env.A == "y"
    assert "B" not in runtime.env


# ---------------------------------------------------------------------- exports


def test_exports_reach_the_state_they_declare(runtime):
    def exported(**states):
        lines = [f'[exports.{n}]\ntype = "durable-object"\n{s}\n' for n, s in states.items()]
        return "".join(lines)

    sqlite, gone = 'storage = "sqlite"', 'state = "deleted"'
    put(runtime, BOUND % "Counter" + exported(Counter=sqlite))
    assert runtime.run(counter(runtime).add()) == 1
    renamed = 'state = "renamed"\nrenamed_to = "Tally"'
    again = BOUND % "Tally" + exported(Counter=renamed, Tally=sqlite)
    assert put(runtime, again).done == ("Counter is now Tally; objects, ids and data stay",)
    assert put(runtime, again).done == ()
    assert runtime.run(counter(runtime).tally()) == 1
    with pytest.raises(DeploymentError, match=r"storage \"legacy-kv\", and it was created with"):
        put(runtime, exported(Tally='storage = "legacy-kv"'))
    with pytest.raises(DeploymentError, match="`exports` says nothing of class 'Tally'"):
        put(runtime, exported(Counter=sqlite))
    assert put(runtime, exported(Tally=gone)).done == (
        "Tally is deleted, with all its objects and their data",
    )


def test_no_configuration_at_all_is_a_deployment_too(runtime):
    assert deploy(runtime, Configuration(), {}).done == ()
