"""Simulated duels: known distributions, thousands of duels at once, and how often each word is said."""
