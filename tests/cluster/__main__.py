"""The command: ``python -m cluster up|status|down`` and the parts of up, in the folder ``tests``."""

from __future__ import annotations

import argparse
import sys

from cluster import bases, build, docker, images, lifecycle, lock, status
from cluster.shell import Failed


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def main() -> int:
    """Do what is asked for.

    Returns:
        1 if it does not work; standard error has the reason.
    """
    parser = argparse.ArgumentParser(prog="python -m cluster", description="A Kubernetes cluster on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="make it work").add_argument("--nodes", type=int, choices=range(1, 10), metavar="N")
    for name, text in {
        "status": "show what there is",
        "down": "remove it",
        "build": "only build the programs",
        "images": "only build the project's images, and load them into the cluster if there is one",
        "bases": "only pull or make the base images",
        "lock": "renew go.mod and go.sum after a change of programs.toml",
    }.items():
        commands.add_parser(name, help=text)
    arguments = parser.parse_args()
    try:
        act(arguments)
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def act(arguments: argparse.Namespace) -> None:
    """Carry out one command."""
    match arguments.command:
        case "up":
            lifecycle.up(arguments.nodes, say)
        case "down":
            lifecycle.down(say)
        case "status":
            docker.require()
            say("\n".join(status.lines()))
        case "build":
            build.build(say)
        case "images":
            docker.require()
            images.build_project(say)
            images.load(lifecycle.worker_names(), say)
        case "bases":
            docker.require()
            bases.provide(say)
        case _:
            lock.renew()


sys.exit(main())
