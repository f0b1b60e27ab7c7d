"""The agent: what runs beside a run's steps, on this machine, in a pod, or wherever they are.

These files are handed to a pod as they are, in a ConfigMap, or run by their path in an isolated
interpreter: so they use the standard library and each other, nothing else, but for what is run
on the driver's side alone (`spawn`).
"""
