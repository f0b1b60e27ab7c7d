"""What a cluster made of what it was asked for: admission may change what is measured. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Spec = Mapping[str, Any]


def changes(asked: Spec, made: Spec, own: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for each change of a pod that its steps' numbers may come from.

    Args:
        asked: The pod that was asked for, as the API takes it.
        made: As the API says that it is.
        own: The containers of steps; what a cluster does to the others is its own affair.
    """
    before, after = _containers(asked), _containers(made)
    if added := sorted(after.keys() - before.keys()):
        yield f"the cluster put containers into its pod that the benchmark does not have: {', '.join(added)}"
    for name in own:
        if limits := _added_limits(before[name], after.get(name, {})):
            yield f"the cluster limits {name}, and the benchmark does not: {limits} (a LimitRange?)"
        images = before[name]["image"], after.get(name, {}).get("image")
        if images[0] != images[1]:
            yield f"the cluster runs another image: {images[1]} instead of {images[0]}"


def is_made_of(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Tell from its metadata whether an object is the one that was asked for, and not another run's of the same id."""
    owners = [owner["uid"] for owner in there.get("ownerReferences") or ()]
    return (
        "deletionTimestamp" not in there
        and there.get("labels") == wanted["labels"]
        and dict(wanted.get("annotations") or {}).items() <= dict(there.get("annotations") or {}).items()
        and owners == [owner["uid"] for owner in wanted.get("ownerReferences") or ()]
    )


def _containers(pod: Spec) -> dict[str, Spec]:
    spec = pod.get("spec") or {}
    return {each["name"]: each for each in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))}


def _added_limits(before: Spec, after: Spec) -> str:
    known, found = ((each.get("resources") or {}).get("limits") or {} for each in (before, after))
    return ", ".join(f"{what} {found[what]}" for what in sorted(found.keys() - known.keys()))
