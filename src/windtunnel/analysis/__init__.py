"""What the numbers say: statistics, verdict, plots, report."""
