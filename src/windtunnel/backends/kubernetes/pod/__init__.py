"""What of the agent runs in pods alone: the warden's lease, what tries a seal, what kills, what stands by.

These files are handed to the pods as they are, in a ConfigMap: whatever version of Windtunnel
the runner image has, driver and pods speak the same words, and any image with Python 3.8 will
do. So they use the standard library, the agent and each other, nothing else.
"""
