"""Frames and ranges of the sync session."""
