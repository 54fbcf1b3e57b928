"""Measurements: every figure the documents quote is made here."""
