"""`%serve`: the notebook for browsers and other programs."""
