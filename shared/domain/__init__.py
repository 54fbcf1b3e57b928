"""The vocabulary of the mine: topics, samples, assets."""
