"""Routes of the central API."""
