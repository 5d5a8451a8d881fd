"""The configuration in a notebook: kept for you, or given by a cell."""

import json
from pathlib import Path

import pytest
from IPython.core.error import UsageError

from dobook.runtime.access import kernel_of

TALLY = """%%durable_object{options}
from workers import DurableObject


class Tally(DurableObject):
    async def value(self):
        return await self.ctx.storage.get("n") or 0
"""
BOUND = '[[durable_objects.bindings]]\nname = "COUNTER"\nclass_name = "{name}"\n\n'
V1 = '[[migrations]]\ntag = "v1"\nnew_sqlite_classes = ["Counter"]\n\n'
V2 = '[[migrations]]\ntag = "v2"\nrenamed_classes = [{ from = "Counter", to = "Tally" }]\n'


def given(*parts, name="Counter"):
    return "%%wrangler\n" + "".join(parts).replace("{name}", name)


def test_without_a_cell_the_configuration_is_kept(counting):
    text = counting.cell("%wrangler")
    assert str(text) == (
        'name = "dobook"\n\n[[durable_objects.bindings]]\nname = "COUNTER"\n'
        'class_name = "Counter"\n\n[[migrations]]\ntag = "v1"\nnew_sqlite_classes = ["Counter"]\n'
    )
    assert "kept for you" in repr(text)
    counting.cell(TALLY.format(options=" --storage kv"))
    values = json.loads(str(counting.cell("%wrangler --format jsonc")))
    assert values["migrations"][1] == {"tag": "v2", "new_classes": ["Tally"]}


def test_what_is_kept_can_be_given_and_changes_nothing(counting):
    text = str(counting.cell("%wrangler"))
    counting.cell("%rpc COUNTER/a add 2")
    card = repr(counting.cell(f"%%wrangler\n{text}"))
    assert "nothing new" in card
    assert counting.cell("%rpc COUNTER/a value") == 2
    assert str(counting.cell("%wrangler")) == text


def test_a_forgotten_migration_is_refused_in_the_platforms_words(shell, counting):
    counting.cell("%dobook reset")
    with pytest.raises(
        UsageError, match=r"Cannot create binding for class 'Room' because it is no"
    ):
        counting.cell(given(BOUND, V1, BOUND.replace("COUNTER", "ROOM"), name="Room"))
    assert "kept for you" in repr(counting.cell("%wrangler"))


def test_a_rename_waits_for_the_class_and_takes_the_data_along(counting):
    counting.cell("%rpc COUNTER/a add 3")
    card = repr(counting.cell(given(BOUND, V1, V2, name="Tally")))
    assert "nothing is deployed before a cell defines Tally" in card
    assert "applied up to v1; waiting for Tally" in repr(counting.cell("%dobook"))
    assert counting.cell("%rpc COUNTER/a value") == 3
    card = repr(counting.cell(TALLY.format(options="")))
    assert "env.COUNTER" in card
    assert "v2: renamed_classes" in card
    assert counting.cell("%rpc COUNTER/a value") == 3
    assert counting.cell("type(env.COUNTER).__name__, env.COUNTER.class_name")[1] == "Tally"


def test_a_rename_without_configuration_is_an_option(counting):
    counting.cell("%rpc COUNTER/a add 3")
    card = repr(counting.cell(TALLY.format(options=" --renamed-from Counter")))
    assert "env.COUNTER" in card
    assert counting.cell("%rpc COUNTER/a value") == 3
    assert 'renamed_classes = [{ from = "Counter", to = "Tally" }]' in str(
        counting.cell("%wrangler")
    )


def test_a_delete_takes_class_and_data(counting):
    counting.cell("%rpc COUNTER/a add 3")
    assert 'deleted_classes = ["Counter"]' in str(counting.cell("%wrangler --delete-class Counter"))
    with pytest.raises(UsageError, match=r"no binding named|no class behind"):
        counting.cell("%rpc COUNTER/a value")
    with pytest.raises(UsageError, match=r"no class named 'Counter'"):
        counting.cell("%wrangler --delete-class Counter")


def test_a_given_configuration_is_not_added_to(counting):
    counting.cell(given(BOUND, V1))
    card = repr(counting.cell(TALLY.format(options="")))
    assert "binding    none: the configuration lists none" in card
    with pytest.raises(UsageError, match="deleted_classes"):
        counting.cell("%wrangler --delete-class Counter")
    counting.cell("%wrangler --keep")
    assert counting.cell("%rpc TALLY/a value") == 0


def test_a_named_worker_goes_on_with_the_objects_there_are(counting):
    counting.cell("%rpc COUNTER/a add 3")
    card = repr(counting.cell(given('name = "shop"\n[vars]\nGREETING = "hi"\n', BOUND, V1)))
    assert card.startswith("shop  deployed")
    assert counting.cell("%rpc COUNTER/a value") == 3
    assert counting.cell("env.GREETING") == "hi"


def test_errors_of_the_text_have_their_line(counting):
    with pytest.raises(
        UsageError, match=r"^wrangler\.toml:2: .* needs 'tag'\. Did you mean it by 'tga'"
    ):
        counting.cell('%%wrangler\n[[migrations]]\nnew_classes = ["A"]\ntga = "v1"\n')


def test_migrations_are_remembered_on_disk_also_by_another_kernel(counting, tmp_path):
    counting.cell(f"%dobook --state {tmp_path / 's'}")
    counting.cell("%rpc COUNTER/a add 3")
    counting.cell(TALLY.format(options=" --renamed-from Counter"))
    before = str(counting.cell("%wrangler"))
    counting.cell("%unload_ext dobook")
    counting.cell("%load_ext dobook")
    counting.cell(f"%dobook --state {tmp_path / 's'}")
    counting.cell(TALLY.format(options=" --binding COUNTER"))
    assert str(counting.cell("%wrangler")) == before
    assert counting.cell("%rpc COUNTER/a value") == 3


def test_a_directory_whose_class_has_other_storage_is_refused_and_the_session_goes_on(
    counting, tmp_path
):
    counting.cell(f"%dobook --state {tmp_path / 's'}")
    counting.cell(TALLY.format(options=" --storage kv"))
    counting.cell("%unload_ext dobook")
    counting.cell("%load_ext dobook")
    counting.cell(TALLY.format(options=""))
    with pytest.raises(UsageError, match="10074"):
        counting.cell(f"%dobook --state {tmp_path / 's'}")
    assert counting.cell("%rpc TALLY/a value") == 0


def test_the_name_a_cell_gave_is_remembered_on_disk(counting, tmp_path):
    counting.cell(f"%dobook --state {tmp_path / 's'}")
    counting.cell(given('name = "shop"\n', BOUND, V1))
    counting.cell("%rpc COUNTER/a add 3")
    counting.cell("%unload_ext dobook")
    counting.cell("%load_ext dobook")
    counting.cell(f"%dobook --state {tmp_path / 's'}")
    counting.cell(
        "%%durable_object\nfrom workers import DurableObject\nclass Counter(DurableObject):\n"
        "    async def value(self): return await self.ctx.storage.get('n')\n"
    )
    assert counting.cell("%rpc COUNTER/a value") == 3


PROJECTS = Path(__file__).parents[2] / "projects"


def test_a_project_beside_the_notebook_keeps_its_classes_to_itself(shell):
    shell.cell(f"%worker --project {PROJECTS / 'chat_room'}")
    before = {n.binding for n in kernel_of(shell.user_ns["runtime"]).namespaces}
    assert before
    shell.cell(TALLY.format(options=""))
    assert shell.cell("%rpc TALLY/a value") == 0
    assert before < {n.binding for n in kernel_of(shell.user_ns["runtime"]).namespaces}
    assert 'name = "dobook"' in str(shell.cell("%wrangler"))
