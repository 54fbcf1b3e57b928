"""One module per step, in order; a step that has run anywhere is never edited."""
