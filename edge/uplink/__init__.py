"""The edge half of the sync session."""
