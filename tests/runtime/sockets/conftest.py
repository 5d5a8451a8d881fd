"""What the tests of WebSockets get: rooms to connect to, and a log of what they have seen."""

import pytest

from .rooms import Base, Classic, Hibernating


@pytest.fixture(autouse=True)
def log():
    Base.log.clear()
    yield Base.log
    Base.log.clear()


@pytest.fixture
def room(runtime):
    return runtime.register(Hibernating, "ROOM").getByName("a")


@pytest.fixture
def classic(runtime):
    return runtime.register(Classic, "CLASSIC").getByName("a")


@pytest.fixture(params=["hibernating", "classic"])
def either(request, runtime):
    cls = Hibernating if request.param == "hibernating" else Classic
    return runtime.register(cls, "EITHER").getByName("a")
