"""What outlives an object: rows, SQL, files. Knows nothing of instances."""
