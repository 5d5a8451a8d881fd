"""The score at the end of a run: how many recorded scenarios agree with the real engine."""

from collections import Counter
from collections.abc import Iterator

import pytest


class Score:
    """Counts, from the reports of the tests, what passed on every store it was played on."""

    def __init__(self) -> None:
        self._scope: dict[str, str | None] = {}
        self._passed: dict[str, bool] = {}
        self._messages: dict[str, set[str]] = {}
        self._agreed: dict[str, set[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        verdict = dict(report.user_properties).get("conformance")
        if verdict is None or not (report.when == "call" or report.failed):
            return
        key = verdict["key"]
        self._scope[key] = verdict["scope"]
        self._passed[key] = self._passed.get(key, True) and verdict["passed"]
        messages = set(verdict.get("messages", ()))
        agreed = set(verdict.get("agreed", ()))
        self._messages[key] = self._messages.get(key, set()) | messages
        self._agreed[key] = self._agreed.get(key, agreed) & agreed

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        if self._scope:
            terminalreporter.section("conformance")
            for line in self.lines():
                terminalreporter.write_line(line)

    def lines(self) -> Iterator[str]:
        """Give the lines of the score."""
        total: Counter[str] = Counter()
        passed: Counter[str] = Counter()
        for key, scope in self._scope.items():
            group = f": {key.partition('/')[0]}" if scope is None else f" (scope {scope}):"
            total[group] += 1
            passed[group] += self._passed[key]
        for group in sorted(total):
            yield f"conformance{group} {passed[group]} of {total[group]}"
        plain = [key for key, scope in self._scope.items() if scope is None]
        agreed = sum(len(self._agreed[key] & self._messages[key]) for key in plain)
        messages = sum(len(self._messages[key]) for key in plain)
        yield f"conformance messages: {agreed} of {messages}"
        yield f"conformance: {sum(self._passed[key] for key in plain)} of {len(plain)}"
