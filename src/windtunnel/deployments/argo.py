"""The former name of `windtunnel.engines.argo`: what the pods of templates that were installed under it run."""

import sys

from windtunnel.engines.argo.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
