"""The newest value of every series."""
