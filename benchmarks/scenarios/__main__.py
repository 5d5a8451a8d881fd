"""Write random scenarios: python -m benchmarks.scenarios SEED COUNT FOLDER."""

import argparse
import json
from pathlib import Path
from typing import Any

from .families import FAMILIES, scenario


def shown(scenarios: list[dict[str, Any]]) -> str:
    """Return scenarios as JSON with one step on each line, so that they can be read and compared."""

    def line(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def field(key: str, value: Any) -> str:
        if not isinstance(value, list):
            return f"  {line(key)}: {line(value)}"
        return f"  {line(key)}: [\n" + ",\n".join(f"    {line(item)}" for item in value) + "\n  ]"

    def one(made: dict[str, Any]) -> str:
        return " {\n" + ",\n".join(field(key, value) for key, value in made.items()) + "\n }"

    return "[\n" + ",\n".join(map(one, scenarios)) + "\n]\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scenarios", description=__doc__)
    parser.add_argument("seed", help="a text that names the batch")
    parser.add_argument("count", type=int, help="about how many scenarios, over all families")
    parser.add_argument("folder", type=Path, help="where a file for each family is written")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    whole = sum(weight for weight, _ in FAMILIES.values())
    for family, (weight, _) in FAMILIES.items():
        names = [
            f"{chosen.seed}-{index:03}" for index in range(round(chosen.count * weight / whole))
        ]
        path = chosen.folder / f"rec-{family}.json"
        path.write_text(shown([scenario(family, name) for name in names]), encoding="utf-8")


if __name__ == "__main__":
    main()
