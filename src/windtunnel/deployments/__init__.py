"""Windtunnel on a Prefect server: flows with typed parameters, deployments, pools and automations.

The only part beside the Prefect engine that knows Prefect.
"""
