"""Headquarters: reconciles the edges into PostgreSQL and serves the APIs."""
