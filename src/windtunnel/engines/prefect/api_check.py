"""Whether a process reaches Prefect's API as a flow run would: a pod runs this, for `windtunnel install prefect`."""

from __future__ import annotations

import sys

from windtunnel.engines.prefect import quiet_settings
from windtunnel.errors import WindtunnelError


def main() -> int:
    """Print what is wrong with the configured server, if anything; return 1 then, else 0."""
    quiet_settings()
    from windtunnel.engines.prefect.server import check_server

    try:
        check_server()
    except WindtunnelError as error:
        print(error.message)  # noqa: T201 - what made the pod reads its output
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
