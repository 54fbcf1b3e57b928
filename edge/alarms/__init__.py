"""Alerts: which rules watch which series, what is active, and how that survives a restart."""
