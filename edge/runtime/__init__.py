"""Wires the parts of the edge together and stops them in stages."""
