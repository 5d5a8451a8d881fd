"""`%storage`, `%sql` and `open_state`: what objects have stored, and how two states differ."""
