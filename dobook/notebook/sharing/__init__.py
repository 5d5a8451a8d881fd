"""`%export`: a notebook as a project."""
