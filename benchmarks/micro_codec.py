"""Time per call of the codec on small values, in microseconds; best of several runs.

python -m benchmarks.micro_codec
"""

import timeit
from datetime import UTC, datetime

from dobook.codec import clone, deserialize, freeze, serialize, thaw

VALUES = {
    "int": 5,
    "str": "x" * 50,
    "small dict": {"i": 5, "s": "x" * 50},
    "flat dict of 20": {f"key{n}": n for n in range(20)},
    "user": {
        "id": 12_345,
        "name": "Ada Lovelace",
        "balance": 12.75,
        "active": True,
        "tags": ["a", "b"],
        "address": {"city": "London", "zip": None},
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "blob": b"\x00\x01\x02",
    },
    "100 ints": list(range(100)),
    "100 floats": [n + 0.5 for n in range(100)],
    "100 dicts": [{"id": n, "name": "n"} for n in range(100)],
}


def best_us(function, value) -> float:
    timer = timeit.Timer(lambda: function(value))
    number, _ = timer.autorange()
    number = max(1, number // 10)
    empty = min(timeit.repeat(lambda: None, number=number, repeat=7))
    return (min(timer.repeat(7, number)) - empty) / number * 1e6


def main() -> None:
    print(
        f"{'µs':>18} {'serialize':>10} {'deserialize':>12} {'freeze':>8} {'thaw':>8} {'clone':>8}"
    )
    for name, value in VALUES.items():
        data, frozen = serialize(value), freeze(value)
        print(
            f"{name:>18} {best_us(serialize, value):10.2f} {best_us(deserialize, data):12.2f} "
            f"{best_us(freeze, value):8.2f} {best_us(thaw, frozen):8.2f} {best_us(clone, value):8.2f}"
        )


if __name__ == "__main__":
    main()
