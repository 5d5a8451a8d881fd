"""dobook's own HTTP and WebSocket server, in a process of its own, for clients on loopback.

`python -m benchmarks.server DURABILITY DIRECTORY` prints its port and serves until its input ends.
`GET /c/NAME` answers with the counter of that name, `/ws` is the chat room.
"""

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
START_S = 20


@contextmanager
def serving(durability: str, directory: Path, tree: Path = REPOSITORY) -> Iterator[tuple[int, int]]:
    """Run the server of a tree of dobook; gives its port and the number of its process.

    Raises:
        RuntimeError: If it does not start.
    """
    command = [sys.executable, "-m", "benchmarks.server", durability, str(directory)]
    with subprocess.Popen(
        command,
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            ready, _, _ = select.select([process.stdout], [], [], START_S)
            port = process.stdout.readline().strip() if ready else ""
            if not port.isdigit():
                raise RuntimeError(f"the server did not start: {port or 'no port'}")
            yield int(port), process.pid
        finally:
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def main() -> None:
    from workers import WorkerEntrypoint

    from benchmarks.objects import CLASSES
    from benchmarks.one import open_runtime
    from dobook.serve import Server

    class Default(WorkerEntrypoint):
        async def fetch(self, request):
            path = request.url.partition("://")[2].partition("/")[2]
            if path == "ws":
                rooms = self.env.ROOM
                return await rooms.get(rooms.idFromName("r")).fetch(request)
            counters = self.env.COUNTER
            return await counters.get(counters.idFromName("/" + path)).fetch("http://do/")

    rt = open_runtime(sys.argv[1], sys.argv[2])
    for cls in CLASSES:
        rt.register(cls)
    rt.serve_worker(Default)
    with Server(rt, host="127.0.0.1", port=0) as server:
        print(server.port, flush=True)
        sys.stdin.read()
    rt.close()


if __name__ == "__main__":
    main()
