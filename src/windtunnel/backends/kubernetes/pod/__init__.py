"""What runs in a run's pods beside its steps: the warden's hub, its agent, the collectors, what installs packages.

These files are handed to the pods as they are, in a ConfigMap: whatever version of Windtunnel
the runner image has, driver and pods speak the same words, and any image with Python 3.8 will
do. So they use the standard library and each other, nothing else.
"""
