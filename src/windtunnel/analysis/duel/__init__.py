"""Duels: rounds of one fresh run of each side, judged at looks that were planned before the first one.

The words: an iteration is a part of a run, a run a part of a round (one run of each side), a round a part of a duel.
"""
