"""The benchmark of Windtunnel itself."""
