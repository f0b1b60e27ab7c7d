"""Values one after the other: of a run's iterations, and of a benchmark's runs."""
