"""Publishes recorded files over MQTT through a small mapping."""
