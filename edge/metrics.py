"""Prometheus counters and gauges of the edge. Owns their names; every part increments its own."""
