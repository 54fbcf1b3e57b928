"""Prometheus counters and gauges of central. Owns their names; every part increments its own."""
