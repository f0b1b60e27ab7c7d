"""What the pods of a workflow run: ``python -m windtunnel.engines.argo plan|drive|finish``."""

from __future__ import annotations

import os
import sys
import traceback

from windtunnel.engines.argo.causes import as_known, leave, words_of
from windtunnel.errors import WindtunnelError
from windtunnel.secrets import Redaction


def main() -> int:
    """Run the part that the first argument names; return its exit code."""
    from windtunnel.engines.argo.drive import drive
    from windtunnel.engines.argo.finish import finish
    from windtunnel.engines.argo.plan import plan

    parts = {"plan": plan, "drive": drive, "finish": finish}
    try:
        return parts[sys.argv[1]]()
    except WindtunnelError as error:
        sys.stderr.write("\n".join((f"error: {error.message}", *(f"  | {line}" for line in error.log_tail))) + "\n")
        return _leave(error)
    except Exception as error:  # noqa: BLE001 - Python's own exit code would pass for the benchmark's own failure
        sys.stderr.write(Redaction.of_variables(os.environ).text(traceback.format_exc()))
        return _leave(as_known(error))


def _leave(error: WindtunnelError) -> int:
    leave(words_of(error.code, error.message))
    return int(error.exit_code)


if __name__ == "__main__":
    sys.exit(main())
