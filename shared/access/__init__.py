"""Roles, rights, tokens and passwords."""
