"""Rules for single values of a benchmark file: each returns the value, or raises ValueError with what is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from windtunnel.addresses import S3, parse_object, parse_store
from windtunnel.parsers import PARSERS
from windtunnel.patterns import compile_pattern
from windtunnel.suggest import suggest

_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\s*(\[[^\]]*\])?\s*([(<>=!~;@].*)?")
LABEL_KEY_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$"
RESERVED_LABELS = frozenset({"run", "benchmark", "step", "expires", "metric", "iteration", "warmup"})


def env_value(value: object) -> object:
    """Return a whole number as the text that a variable holds; anything else as it is.

    Raises:
        ValueError: The value is a number with a point or an exponent, of which TOML does not keep how it was written.
    """
    if isinstance(value, float):
        msg = "a number with a point or an exponent would not reach the program as it is written; quote it"
        raise ValueError(msg)  # noqa: TRY004 - pydantic takes no other
    # 8080 unquoted is what people write in an env table; a bool has no one spelling.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def check_labels(labels: dict[str, str]) -> dict[str, str]:
    """Return labels that every platform can carry and that are not Windtunnel's own (ValueError otherwise)."""
    for key, value in labels.items():
        if key in RESERVED_LABELS or key.startswith("windtunnel"):
            reserved = ", ".join(sorted(RESERVED_LABELS))
            msg = f"label {key!r} is reserved (as are windtunnel… and {reserved}); choose another"
            raise ValueError(msg)
        if not re.fullmatch(LABEL_KEY_PATTERN, key) or not re.fullmatch(r"[\w.-]{0,63}", value):
            msg = f"label {key!r}: letters, digits, '-', '_' and '.', 63 characters at most"
            raise ValueError(msg)
    return labels


def check_label_map(labels: dict[str, str]) -> dict[str, str]:
    """Return labels as Kubernetes has them: a key may have a prefix that is a DNS name (ValueError otherwise)."""
    for key, value in labels.items():
        if not _is_label_key(key) or not re.fullmatch(r"([A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?)?", value):
            msg = f'{key!r} = {value!r} is not a label of Kubernetes; write it like "kubernetes.io/arch" = "arm64"'
            raise ValueError(msg)
    return labels


def check_annotations(annotations: dict[str, str]) -> dict[str, str]:
    """Return annotations whose keys are those of labels and whose values are any text (ValueError otherwise)."""
    for key, value in annotations.items():
        check_text(value)
        if not _is_label_key(key):
            msg = f'{key!r} is not the key of an annotation; write it like "example.com/queue"'
            raise ValueError(msg)
    return annotations


def _is_label_key(key: str) -> bool:
    prefix, _, name = key.rpartition("/")
    is_ours = prefix == "windtunnel.dev" or prefix.endswith(".windtunnel.dev")
    return bool(re.fullmatch(LABEL_KEY_PATTERN, name) and re.fullmatch(r"([a-z0-9.-]{1,253})?", prefix) and not is_ours)


def check_files(files: dict[str, str]) -> dict[str, str]:
    """Return inline files whose paths can lie beside each other (ValueError otherwise)."""
    for path in files:
        check_path(path)
    check_places(files)
    return files


def check_path(path: str) -> str:
    """Return `path` if it is usable as a place for a file of a step.

    Raises:
        ValueError: The path is empty or climbs out of the working folder.
    """
    parts = path.removeprefix("/").split("/")
    if "\0" in path or {"", ".", ".."} & set(parts):
        msg = f"{path!r} is not the path of a file inside the working folder"
        raise ValueError(msg)
    return path


def check_places(paths: Iterable[str]) -> None:
    """Check that files can lie beside each other.

    Raises:
        ValueError: Two are the same, or one would have to be a folder.
    """
    ordered = sorted(paths)
    for path in ordered:
        if ordered.count(path) > 1:
            msg = f"{path!r} is given twice"
            raise ValueError(msg)
        if below := [other for other in ordered if other.startswith(f"{path}/")]:
            msg = f"{path!r} is a file, so {below[0]!r} cannot be below it"
            raise ValueError(msg)


def check_glob(glob: str) -> str:
    """Return a glob that stays below ``$WINDTUNNEL_OUT`` (ValueError otherwise); ``.`` is all of it."""
    parts = glob.split("/")
    if not glob or glob.startswith("/") or ".." in parts or any("**" in part and part != "**" for part in parts):
        msg = f'{glob!r} is not a glob below $WINDTUNNEL_OUT; write it like "*.csv" or "**/*.csv"'
        raise ValueError(msg)
    return "/".join(part for part in parts if part not in {"", "."}) or "**"


def check_command(command: list[str]) -> list[str]:
    """Return a command whose first word can be a program (ValueError otherwise)."""
    if not command[0].strip():
        msg = "the first word is empty; write the program there"
        raise ValueError(msg)
    return command


def check_text(text: str) -> str:
    """Return a text that a program can be given (ValueError if it has a null character)."""
    if "\0" in text:
        msg = f"{text!r}: a null character cannot be passed to a program"
        raise ValueError(msg)
    return text


def check_source(source: str) -> str:
    """Return an address or path that an input can be fetched from (ValueError otherwise)."""
    scheme, separator, _rest = source.partition("://")
    if not source or (separator and scheme not in {"http", "https", "file", "s3"}):
        msg = f"{source!r} cannot be fetched; use http://, https://, s3://, file:// or a path"
        raise ValueError(msg)
    if source.startswith(S3) and (not (key := parse_object(source).key) or key.endswith("/")):
        msg = f"{source!r} names no object; write it like s3://bucket/key"
        raise ValueError(msg)
    return source


def check_store(store: str) -> str:
    """Return where results can be kept: a folder, a bucket, a volume claim (ValueError otherwise)."""
    parse_store(store)
    return store


def check_requirement(requirement: str) -> str:
    """Return a package as pip names it, such as ``numpy>=2`` (ValueError otherwise)."""
    if re.search(r"(?<!ssh)://[^/\s]*@", requirement):
        # What was written there may be a secret: it is not repeated.
        msg = "credentials do not belong in a requirement; pip finds them (pip.conf, PIP_INDEX_URL, netrc)"
        raise ValueError(msg)
    if not _REQUIREMENT.fullmatch(requirement):
        msg = f'{requirement!r} is not a package; write it like "numpy>=2" (options belong in pip\'s own configuration)'
        raise ValueError(msg)
    return requirement


def check_unit(unit: str) -> str:
    """Return a unit that can be printed (ValueError otherwise)."""
    if not unit.isprintable():
        msg = f"{unit!r} has control characters"
        raise ValueError(msg)
    return unit


def check_sources(metrics: Sequence[tuple[str | None, str | None]]) -> None:
    """Check that each metric comes from one place.

    Args:
        metrics: The name and the parser of each; without a name all that the parser gives is meant.

    Raises:
        ValueError: A metric is given twice, or would have values from two places.
    """
    keys = [name or parser for name, parser in metrics]
    if twice := sorted({str(key) for key in keys if keys.count(key) > 1}):
        msg = f"metrics: {', '.join(twice)} is given twice"
        raise ValueError(msg)
    for whole in [parser for name, parser in metrics if parser and not name]:
        for name, parser in metrics:
            given = {name} if name else set(PARSERS[parser].metrics) if parser else set()
            if parser != whole and (shared := sorted(given & set(PARSERS[whole].metrics))):
                other = f"from {parser}" if parser else "from an entry of its own"
                msg = f"metrics: {shared[0]} would come from {whole} and {other}; name what {whole} is to give"
                raise ValueError(msg)


def check_pattern(pattern: str) -> str:
    """Return a regular expression that has a group (ValueError otherwise)."""
    if re.compile(check_log_pattern(pattern)).groups < 1:
        msg = f"{pattern!r} has no group; put the number in parentheses"
        raise ValueError(msg)
    return pattern


def check_log_pattern(pattern: str) -> str:
    """Return a regular expression (ValueError if it is none)."""
    try:
        re.compile(pattern)
        compile_pattern(pattern)  # what it is matched with takes a little less
    except (re.error, ValueError) as error:
        msg = f"{pattern!r} is not a regular expression: {error}"
        raise ValueError(msg) from None
    return pattern


def check_cron(expression: str) -> str:
    """Return a cron expression that is due some day (ValueError otherwise)."""
    # Only a benchmark with a schedule pays for the import.
    from datetime import UTC, datetime

    from cronsim import CronSim, CronSimError

    # More fields and the letters L and W mean different things to different schedulers.
    if not re.fullmatch(r"[^\sLW#]+(?: +[^\sLW#]+){4}", re.sub(r"(?i)jul|wed", "x", expression)):
        msg = f'{expression!r} is not a cron expression of five fields, such as "0 3 * * *" for 3 at night'
        raise ValueError(msg)
    try:
        next(CronSim(expression, datetime.now(UTC)))
    except CronSimError as error:
        msg = f'{expression!r} is not a cron expression ({error}); write it like "0 3 * * *" for 3 at night'
        raise ValueError(msg) from None
    except StopIteration:
        msg = f"{expression!r} is never due"
        raise ValueError(msg) from None
    return expression


def check_timezone(name: str) -> str:
    """Return the name of a time zone of the IANA database (ValueError otherwise)."""
    from zoneinfo import available_timezones

    zones = available_timezones()
    if name not in zones:
        msg = f"{name!r} is not a time zone{suggest(name, zones)}; such as Europe/Paris"
        raise ValueError(msg)
    return name
