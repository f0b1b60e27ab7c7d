"""Duels: a baseline and a candidate measured again and again in the same rounds, and the verdict on them."""
