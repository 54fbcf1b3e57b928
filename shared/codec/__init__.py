"""Bit-exact columnar encoding of sample batches."""
