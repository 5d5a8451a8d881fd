"""Notebooks as files, made of their cells."""

import json
from pathlib import Path

import pytest


@pytest.fixture
def notebook(tmp_path):
    """Writes a notebook; cells are texts, or (text, tags)."""

    def write(*cells, name="01_chat-room.ipynb"):
        document = {
            "cells": [
                {
                    "cell_type": "code",
                    "source": (cell if isinstance(cell, str) else cell[0]).splitlines(
                        keepends=True
                    ),
                    "metadata": {} if isinstance(cell, str) else {"tags": list(cell[1])},
                    "outputs": [],
                    "execution_count": None,
                }
                for cell in cells
            ],
            "metadata": {},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        path = Path(tmp_path) / name
        path.write_text(json.dumps(document), "utf-8")
        return path

    return write
