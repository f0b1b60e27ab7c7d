"""MPI programs on the members of a gang: how they are reached, started and counted, in files that a shell runs."""
