"""A run on disk: its folder, events, samples, environment and record."""
