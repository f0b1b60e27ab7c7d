"""What goes with a workflow in an object of the cluster: secrets, long texts, and files of its user's machine."""

from __future__ import annotations

import base64
import contextlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windtunnel.backends.inputs import fetch_input, is_local, local_file
from windtunnel.backends.kubernetes.api import Cluster, Refused
from windtunnel.benchmark import Loaded
from windtunnel.engines.argo.parameter_values import CONFIG_MAP, SECRET, read_object
from windtunnel.errors import UsageError
from windtunnel.plan import InputFile, Plan
from windtunnel.run.control import Control
from windtunnel.secrets import Redaction

MOST_BYTES = 1 << 20
"""What a ConfigMap or a Secret holds at most, all of its values together."""


@dataclass(frozen=True)
class Carrier:
    """An object that has what a workflow's pods read, and that goes with the workflow.

    Attributes:
        name: Its name.
        data: What it holds, by keys.
        is_secret: Whether it is a Secret; else it is a ConfigMap.
    """

    name: str
    data: Mapping[str, bytes]
    is_secret: bool

    @property
    def kind(self) -> str:
        """Its kind."""
        return "Secret" if self.is_secret else "ConfigMap"

    @property
    def value(self) -> str:
        """What a parameter says that means it."""
        return (SECRET if self.is_secret else CONFIG_MAP) + self.name

    def manifest(self, labels: Mapping[str, str], owner: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return it as the API takes it.

        Args:
            labels: Its labels.
            owner: The workflow or schedule that it goes with, as the API has that.
        """
        metadata: dict[str, Any] = {"name": self.name, "labels": dict(labels)}
        if owner:
            metadata["ownerReferences"] = [reference(owner)]
        place = "data" if self.is_secret else "binaryData"
        data = {key: base64.b64encode(each).decode("ascii") for key, each in self.data.items()}
        return {"apiVersion": "v1", "kind": self.kind, "metadata": metadata, place: data}


def carrier_name(owner: str) -> str:
    """Return what the object is called that belongs to a workflow, or to a schedule."""
    return f"{owner}-benchmark"


def reference(owner: Mapping[str, Any]) -> dict[str, Any]:
    """Return the owner reference of what goes with an object that the API has."""
    metadata = owner["metadata"]
    named = {"name": metadata["name"], "uid": metadata["uid"]}
    return {"apiVersion": owner["apiVersion"], "kind": owner["kind"], **named}


def adopt(cluster: Cluster, workflow: Mapping[str, Any]) -> None:
    """Have a workflow's own ConfigMap go with it: who has rendered both could not say that of one that is to come.

    Of an account of an older `install argo`, which may not do it, the ConfigMap stays.
    """
    place = cluster.path("ConfigMap", carrier_name(workflow["metadata"]["name"]))
    with contextlib.suppress(Refused):
        cluster.call("PATCH", place, {"metadata": {"ownerReferences": [reference(workflow)]}})


def local_inputs(plan: Plan) -> dict[str, InputFile]:
    """Return the inputs that are files of somebody's machine, by their keys: their numbers among all inputs."""
    numbered = enumerate(plan.inputs, start=1)
    return {f"input-{number}": item for number, item in numbered if is_local(item)}


def read_local(loaded: Loaded, plan: Plan) -> dict[str, bytes]:
    """Return what the local inputs of a benchmark hold, by their keys.

    Raises:
        UsageError: They are more than an object can hold.
        PlatformError: One cannot be had, or is not what it should be, as a run here would say.
    """
    found, base = local_inputs(plan), loaded.path.parent
    places = {key: local_file(item, base) for key, item in found.items()}
    # Of what is no file, or is not there, its copy tells.
    sizes = {key: place.stat().st_size for key, place in places.items() if place.is_file()}
    _check_size(sizes, found)
    control, data = Control(float("inf")), dict[str, bytes]()
    with tempfile.TemporaryDirectory() as folder:
        for key, item in found.items():
            path, _digest = fetch_input(item, base, control, Path(folder) / key)
            data[key] = path.read_bytes()
    return data


def make_carrier(owner: str, data: Mapping[str, bytes], plan: Plan, *, is_secret: bool) -> Carrier:
    """Return the object of a workflow, or of a schedule (UsageError if it would hold too much)."""
    _check_size({key: len(each) for key, each in data.items()}, local_inputs(plan))
    return Carrier(carrier_name(owner), data, is_secret)


def _check_size(sizes: Mapping[str, int], inputs: Mapping[str, InputFile]) -> None:
    if (total := sum(sizes.values())) <= MOST_BYTES:
        return
    told = [f"{inputs[key].src if key in inputs else key} ({size} bytes)" for key, size in sizes.items()]
    raise UsageError(
        f"{', '.join(told)}: {total} bytes, and an object of the cluster carries {MOST_BYTES} at most to a workflow;"
        ' put inputs into S3, and give src = "s3://bucket/key"'
    )


def file_has_secrets(data: bytes, redaction: Redaction) -> bool:
    """Tell whether a file's content has secrets in it, those of its benchmark or others by what they look like."""
    if redaction.masked(data, is_text=False) != data:
        return True
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    return redaction.line(text) != text


def check_given(plan: Plan, inputs: str) -> None:
    """Refuse a workflow that was not given the local inputs of its benchmark (UsageError)."""
    if (wanted := local_inputs(plan)) and not inputs:
        files = " ".join(f"--from-file={key}={item.src}" for key, item in wanted.items())
        raise UsageError(
            f"input {next(iter(wanted.values())).src}: a file of somebody's machine, which the cluster does not have:"
            f" `kubectl create configmap NAME {files}`, and give inputs={CONFIG_MAP}NAME;"
            " or give http(s) or s3 as its src"
        )


def place_inputs(given: str, plan: Plan, redaction: Redaction, folder: Path) -> dict[str, Path]:
    """Write the local inputs that a workflow was given into a folder; return where each is, by its `src`.

    Args:
        given: The parameter: ``configmap/NAME`` or ``secret/NAME``.
        plan: The plan.
        redaction: What is secret; it is in a Secret, or refused.
        folder: Where to.

    Raises:
        UsageError: There is no such object, it lacks an input, or it shows a secret.
    """
    wanted = local_inputs(plan)
    if not wanted:
        return {}
    data = read_object("inputs", given)
    places = {}
    for key, item in wanted.items():
        if key not in data:
            words = ", ".join(sorted(data)) or "none"
            raise UsageError(f"inputs: {given} has no key {key}, for the input {item.src} (it has: {words})")
        if not given.startswith(SECRET) and file_has_secrets(data[key], redaction):
            raise UsageError(
                f"inputs: {given} shows secrets of {item.src}: put the files into a Secret, `kubectl create secret"
                f" generic NAME --from-file={key}=…`, and give inputs={SECRET}NAME"
            )
        places[item.src] = folder / key
        places[item.src].write_bytes(data[key])
    return places
