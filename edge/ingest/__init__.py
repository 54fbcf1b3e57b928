"""From MQTT message to judged samples."""
