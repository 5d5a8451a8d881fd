"""The virtual clock: its magics, its view, the alarms that are due next."""
