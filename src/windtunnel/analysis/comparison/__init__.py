"""Two sides and the difference between them: what it is, how well it is known, and which word may be said of it."""
