"""The durable listener: an MQTT endpoint for publishers whose PUBACK means "on disk"."""
