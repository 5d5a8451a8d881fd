"""The workloads of a durable objects engine, on dobook and on the real engine. See README.md."""

import dobook  # noqa: F401 - it makes `workers` importable for every module here
