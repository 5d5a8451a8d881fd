"""Random choices that a text seeds, and the values that scenarios are made of."""

import base64
import random
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
Op = list[Any]
Step = dict[str, Any]
Scenario = dict[str, Any]
KEYS = ["a", "b", "c", "aa", "b1", "é", "n", "", "key:1", "key:2"]
TREE = [
    "a",
    "a/",
    "a/1",
    "a/10",
    "a/2",
    "a0",
    "b",
    "b/é",
    "b/\U0001f600",
    "b/\uffee",
    "c",
    "c\0d",
    "Z",
    "~",
    "日本",
]
BOUNDS = [*TREE, "", "a/1x", "b/", "bz", "d", "\U0010ffff"]
ERRORS = ["Error", "TypeError", "RangeError"]


class Dice:
    """Draws from a generator that a text seeds, so that a name stands for a scenario."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def between(self, low: int, high: int) -> int:
        return self._random.randint(low, high)

    def chance(self, share: float) -> bool:
        return self._random.random() < share

    def pick(self, of: Sequence[T]) -> T:
        return self._random.choice(of)

    def some(self, of: Sequence[T], low: int, high: int) -> list[T]:
        """Draw between `low` and `high` items; one may come twice."""
        return [self.pick(of) for _ in range(self.between(low, high))]

    def shuffled(self, of: Sequence[T]) -> list[T]:
        return self._random.sample(list(of), len(of))

    def times(self, low: int, high: int, make: Callable[[], T]) -> list[T]:
        return [make() for _ in range(self.between(low, high))]

    def among(self, *table: tuple[float, Callable[[], T]]) -> T:
        """Make one of several things, each as often as its weight says."""
        weights = [weight for weight, _ in table]
        return self._random.choices([make for _, make in table], weights)[0]()


def value(dice: Dice, depth: int = 0, *, plain: bool = False) -> Any:
    """Draw a value, nested at most twice; a plain one is JSON."""
    nested = 0 if depth > 1 else 1
    return dice.among(
        (4, lambda: dice.between(-50, 1000)),
        (1, lambda: dice.between(-4000, 4000) / 8),
        (3, lambda: dice.pick(["", "x", "text", "ž", "long " * 3, "\U0001f600", "\0"])),
        (1, lambda: dice.chance(0.5)),
        (1, lambda: None),
        (nested, lambda: dice.times(0, 3, lambda: value(dice, depth + 1, plain=plain))),
        (
            nested,
            lambda: {
                k: value(dice, depth + 1, plain=plain) for k in dice.some(["p", "q", "r"], 0, 3)
            },
        ),
        (0 if plain else 0.7, lambda: rich(dice, depth)),
    )


def rich(dice: Dice, depth: int = 0) -> Any:
    """Draw a value of structured clone that JSON lacks."""
    nested = 0 if depth > 1 else 1
    return dice.among(
        (
            1,
            lambda: {
                "$date": dice.pick(
                    [0, 1, -1, 1_000_000_000_000, 8_640_000_000_000, 951_782_400_000]
                )
            },
        ),
        (
            1,
            lambda: {"$bytes": base64.b64encode(bytes(dice.some([0, 1, 127, 255], 0, 6))).decode()},
        ),
        (
            1,
            lambda: {
                "$bigint": dice.pick(
                    ["9007199254740993", "-9223372036854775808", "18446744073709551616"]
                )
            },
        ),
        (1, lambda: {"$num": dice.pick(["NaN", "Infinity", "-Infinity"])}),
        (
            0.5,
            lambda: {
                "$error": {"name": dice.pick(ERRORS), "message": dice.pick(["", "kept", "é"])}
            },
        ),
        (nested, lambda: {"$set": dice.shuffled([5, "x", None, True])[: dice.between(0, 4)]}),
        # Keys of one text and one number: a dict in Python stays a Map.
        (
            nested,
            lambda: {
                "$map": [
                    [dice.between(0, 9), value(dice, depth + 1)],
                    ["k", value(dice, depth + 1)],
                ]
            },
        ),
    )


def entries(dice: Dice, keys: Sequence[str], low: int, high: int) -> dict[str, Any]:
    return {key: value(dice) for key in dice.some(keys, low, high)}


def throw(dice: Dice, text: str = "stop") -> Op:
    """An op that ends the program around it with an error."""
    if dice.chance(0.1):
        return ["throw", dice.pick(ERRORS), text, {"code": dice.between(1, 9)}]
    return ["throw", dice.pick(ERRORS), text]
