"""What there is to know as DataFrames, one file a subject."""
