"""Thousands of runtimes come and go: nothing of a closed one stays."""

import subprocess
import sys

CODE = """
import gc, sys
sys.path.insert(0, 'tests/explorer')
import dobook, scenarios
for _ in range(3):
    with dobook.Runtime() as runtime:
        runtime.register(scenarios.Stored, 'MEMORY')
        runtime.run(scenarios.say_and_ask(runtime.env))
del runtime
gc.collect()
print(sum(isinstance(found, dobook.Runtime) for found in gc.get_objects()))
"""


def test_a_closed_runtime_is_garbage():
    # In a process of its own: the tests' own check for leaks holds runtimes.
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"
