"""The durable log: segments, their writer and readers, the quarantine."""
