"""One object as it is: its inspector, its storage as DataFrames, what its buttons do."""
