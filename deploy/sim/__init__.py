"""A physically plausible mine, from a seed."""
