"""Starts, supervises and stops the processes of one demonstration site."""
