"""The runtime: objects come alive. Standard library and storage only."""
