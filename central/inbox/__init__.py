"""The central half of the sync session and the unpacking of what it received."""
