"""What makes a step's pod a sealed one. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from windtunnel.backends.kubernetes.manifests import Manifest
from windtunnel.backends.kubernetes.naming import Naming
from windtunnel.backends.labels import PREFIX
from windtunnel.plan import Plan, Program

SEALED = f"{PREFIX}sealed"
"""What carries it is sealed."""
_SCRATCH = ("/tmp", "/var/tmp", "/run")  # noqa: S108 - the container's
_NOWHERE = "127.0.0.1"


def is_sealed(program: Program) -> bool:
    """Tell whether a step is to be sealed."""
    return program.isolation == "sealed"


def any_sealed(plan: Plan) -> bool:
    """Tell whether a step of the plan is."""
    return any(is_sealed(step.program) for step in plan.steps)


def policy(naming: Naming) -> Manifest:
    """Return the NetworkPolicy of a run: its sealed pods reach its pods, and are reached by them, and no others.

    Not even names can be looked up outside: a query is a way out too.
    """
    peers = [{"podSelector": {"matchLabels": naming.own}}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": naming.metadata(naming.name("sealed")),
        "spec": {
            "podSelector": {"matchLabels": naming.own | {SEALED: "true"}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": peers}],
            "egress": [{"to": peers}],
        },
    }


def pod_options(addresses: Mapping[str, str]) -> Manifest:
    """Return what a sealed pod's specification has instead of a name server: the run's own names, with addresses."""
    return {
        "dnsPolicy": "None",
        "dnsConfig": {"nameservers": [_NOWHERE]},
        "hostAliases": [{"ip": address, "hostnames": [name]} for name, address in addresses.items()],
    }


def security() -> Manifest:
    """Return a sealed container's security context."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def scratch_volumes(name: str) -> list[Manifest]:
    """Return the volumes of a sealed container for what any program writes to."""
    return [{"name": volume, "emptyDir": {}} for volume, _path in _scratch(name)]


def scratch_mounts(name: str) -> list[Manifest]:
    """Return their mounts."""
    return [{"name": volume, "mountPath": path} for volume, path in _scratch(name)]


def _scratch(name: str) -> Sequence[tuple[str, str]]:
    return [(f"{name}-scratch-{number}", path) for number, path in enumerate(_SCRATCH)]
