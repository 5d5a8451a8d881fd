"""The platform's own example classes are in the lessons, and each of their answers is shown.

What is looked for are outputs: a route that is written down and never asked does not count.
Source: the examples of developers.cloudflare.com/durable-objects/, written for Python
"""

import json
import re
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"

# Class, lesson, and what its routes and errors answer.
ANSWERS = {
    ("WorkflowObject", "01_quickstart"): [
        '{"status": "idle", "step": 0}',
        '"message": "Workflow started"',
        '{"step": 1, "complete": false}',
        '"complete": true',
        "404 Not Found",
    ],
    ("StatefulWorkflow", "08_workflow"): [
        '"status": "pending"',
        '409 {"error": "Workflow already exists"}',
        "completed, 4 of 4 steps completed",
        "Cannot execute: paused",
        "Cannot execute: completed",
        "Cannot pause",
        "Cannot resume",
        "No workflow",
        "Unknown action",
        "the bank does not answer",
        "500 Internal Server Error",
    ],
    ("ScheduledWorkflow", "04_alarms"): [
        '"scheduled": true',
        "alarm fired at",
        "done: tidy up",
        "Unknown endpoint",
    ],
    ("RateLimiter", "07_rate_limiting"): [
        '"allowed": true',
        '"allowed": false',
        "429 Too Many Requests",
        "retry-after: 1",
        "here you are",
    ],
    ("ChatRoom", "05_chatroom"): [
        "Expected WebSocket",
        "400 Bad Request",
        "404 Not Found",
        '"type": "history"',
        '"type": "join"',
        '"type": "message"',
        '"type": "leave"',
    ],
}


def cells(lesson):
    return json.loads((NOTEBOOKS / f"{lesson}.ipynb").read_text("utf-8"))["cells"]


@pytest.mark.parametrize(("named", "answers"), ANSWERS.items(), ids=lambda v: str(v[0]))
def test_every_answer_of_the_class_is_shown(named, answers):
    cls, lesson = named
    shown = []
    for cell in cells(lesson):
        for output in cell.get("outputs", ()):
            text = output.get("text") or output.get("data", {}).get("text/plain", "")
            shown.append("".join(text))
    text = "\n".join(shown)
    assert f"{cls}  durable object" in text
    assert [answer for answer in answers if answer not in text] == []


def test_the_lessons_are_no_longer_than_a_lesson():
    # At 200 words a minute, and twice that for code: 20 minutes at most.
    lessons = sorted(NOTEBOOKS.glob("*.ipynb"))
    assert [file.name[:2] for file in lessons[:12]] == [f"{n:02}" for n in range(1, 13)]
    long = {}
    for file in lessons[:12]:
        minutes = 0.0
        for cell in cells(file.stem):
            words = len(re.findall(r"\w+", "".join(cell["source"])))
            minutes += words / (200 if cell["cell_type"] == "markdown" else 400)
        if minutes > 20:
            long[file.name] = round(minutes, 1)
    assert long == {}
