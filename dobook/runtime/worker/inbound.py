"""Where requests from the network enter: to the Worker if there is one, or to an object.

The server's way in. It makes no task, no promise and no copy: what it is given belongs to nobody
else, and the answer is handed to a function on the runtime's own loop.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from dobook.ids import DurableObjectId
from dobook.runtime.calls.call import Call
from dobook.web import Request, Response

if TYPE_CHECKING:
    from dobook.runtime.protocols import Kernel, Namespace

Answered = Callable[[Response | None, BaseException | None], None]


def fetch_object(
    namespace: "Namespace",
    identity: DurableObjectId,
    request: Request,
    answered: Answered,
) -> None:
    """Send an object a request that came over the network.

    Args:
        namespace: The object's class.
        identity: The object's id.
        request: The request; a redirect in answer to it is not followed.
        answered: Called with the response, or with what the object raised.
    """
    call = Call(namespace.actor(identity), "fetch", (), (request,))
    call.on_done = lambda done: answered(done.value, done.error)
    namespace.runtime.post.post(call, None)


def fetch_worker(runtime: "Kernel", request: Request, answered: Answered) -> None:
    """Send the entry Worker a request that came over the network.

    Args:
        runtime: One with a Worker.
        request: The request.
        answered: Called with the response; what the Worker raised is one with status 500.
    """
    worker = runtime.worker_entry
    assert worker is not None
    worker.answer(request, answered)
