"""The edge node: reads the site over MQTT, keeps the durable log, syncs it to central."""
