"""`%%explore`: searching for the schedule that breaks a cell."""
