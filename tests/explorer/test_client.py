"""`dobook.retry`: what a careful client tries again, how often, and after which pauses.

Source: developers.cloudflare.com/durable-objects/best-practices/error-handling/
"""

import pytest

import dobook
from dobook import Runtime
from dobook.errors import PlatformError, UsageError


def failing(times, **properties):
    """Return a call that fails so often, and the virtual times at which it was made."""
    made = []

    def call(runtime):
        async def ask():
            made.append(runtime.clock.now_ms)
            if len(made) <= times:
                error = PlatformError("no")
                vars(error).update(properties)
                raise error
            return "yes"

        return ask()

    return call, made


@pytest.fixture
def runtime():
    with Runtime() as made:
        yield made


@pytest.mark.parametrize("sign", ["retryable", "durableObjectReset"])
def test_what_passes_is_tried_again_after_pauses_that_double(runtime, sign):
    call, made = failing(3, **{sign: True})
    assert runtime.run(dobook.retry(lambda: call(runtime), pause_ms=50)) == "yes"
    assert [at - made[0] for at in made] == [0, 50, 150, 350]


@pytest.mark.parametrize("properties", [{}, {"retryable": True, "overloaded": True}])
def test_what_does_not_pass_or_would_do_harm_is_not(runtime, properties):
    call, made = failing(1, **properties)
    with pytest.raises(PlatformError, match="no"):
        runtime.run(dobook.retry(lambda: call(runtime)))
    assert len(made) == 1


def test_an_error_of_the_objects_own_code_is_not_tried_again(runtime):
    asked = []

    async def ask():
        asked.append(1)
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        runtime.run(dobook.retry(ask))
    assert len(asked) == 1


@pytest.mark.parametrize("times", [1, 2, 5])
def test_the_last_error_is_raised_after_so_many_attempts_and_no_further_pause(runtime, times):
    call, made = failing(9, retryable=True)
    with pytest.raises(PlatformError, match="no"):
        runtime.run(dobook.retry(lambda: call(runtime), times=times))
    assert len(made) == times
    assert runtime.clock.now_ms == made[-1]


def test_no_attempt_at_all_is_refused(runtime):
    with pytest.raises(UsageError, match="1 time or more, not 0"):
        runtime.run(dobook.retry(lambda: None, times=0))
