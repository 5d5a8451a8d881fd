"""Random scenarios for the recorder of the real engine, in the format of `tests/conformance`."""
