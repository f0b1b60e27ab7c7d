"""What a backend would make of a benchmark: the part of `plan` that has a backend."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from windtunnel.backends import make_backend
from windtunnel.backends.preview import Document, Preview, preview_plan
from windtunnel.backends.support import check_support
from windtunnel.cli.output import print_data, print_json
from windtunnel.errors import WindtunnelError

if TYPE_CHECKING:
    from windtunnel.benchmark import Loaded
    from windtunnel.plan import Plan


def print_previews(found: Sequence[tuple[Loaded, Plan]], backend_name: str, *, as_json: bool) -> None:
    """Print what a backend would make of each run: a stream of YAML, or one JSON object.

    Raises:
        UsageError: No backend is called so.
        Unsupported: The backend cannot do what a plan asks for.
    """
    from windtunnel.benchmark import describe_values

    runs = []
    for loaded, plan in found:
        runs.append((loaded.redaction.values(loaded.combination), _preview(loaded, plan, backend_name)))
    is_sweep = bool(found[0][0].combination)
    if as_json:
        made = [{"values": values, **_as_json(each, backend_name)} for values, each in runs]
        print_json({"runs": made} if is_sweep else _as_json(runs[0][1], backend_name))
        return
    for number, (values, preview) in enumerate(runs, start=1):
        title = f"run {number} of {len(runs)}: {describe_values(values)}" if is_sweep else ""
        print_data("\n".join(_lines(preview, title, backend_name)))


def _preview(loaded: Loaded, plan: Plan, backend_name: str) -> Preview:
    backend = make_backend(backend_name)
    try:
        check_support(plan, backend)
        return preview_plan(plan, backend, loaded.redaction)
    except WindtunnelError as error:
        raise loaded.redaction.error(error) from None


def _as_json(preview: Preview, backend_name: str) -> dict[str, Any]:
    return {"backend": backend_name, "notes": preview.notes, "documents": preview.documents}


def _lines(preview: Preview, title: str, backend_name: str) -> Iterator[str]:
    yield from [f"# {title}"] if title else []
    yield f"# What a run on {backend_name} would make, in this order."
    yield from (f"# {note}." for note in preview.notes)
    yield from map(_document, preview.documents)


def _document(document: Document) -> str:
    # JSON is YAML too, for those who read one and have no writer of the other.
    if find_spec("yaml") is None:
        return f"---\n{json.dumps(document, indent=2, ensure_ascii=False)}"
    from windtunnel.yaml_documents import to_yaml

    return f"---\n{to_yaml(document).rstrip()}"
