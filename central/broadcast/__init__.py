"""Fan-out of fresh values to the web processes."""
