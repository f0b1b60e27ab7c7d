"""One benchmark file, every backend: strings, files, output and probes are the same wherever a step runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import pytest

from support.lab import Lab, Result

pytestmark = [pytest.mark.usefixtures("nothing_left"), pytest.mark.timeout(600)]
Run = Callable[..., Result]
OTHER_USER = 4321
RATE = '[[metrics]]\nname = "rate"\npattern = "rate=(\\\\S+)"'
NAMES = [
    "plain",
    "two words",
    "-dash",
    ".hidden",
    "ünïcödé",
    "a,b;c",
    "star*",
    "new\nline",
    "quote'\"",
    "back\\slash",
    "n" * 200,
]


def alone(script: str, tables: str = "") -> str:
    """Return a benchmark of a Python program, which lies in the client's folder."""
    (name, quote) = ("program.py", "'''")
    return f"""
spec_version = "1"
[benchmark]
name = "alone"
strategy = "single-node"
timeout = "2m"
[client]
image = "IMAGE"
command = ["python3", "{name}"]
[client.files]
"{name}" = {quote}
import hashlib, json, os, pathlib, sys
out, environ = pathlib.Path(os.environ["WINDTUNNEL_OUT"]), os.environ
{script.replace("$", "$$")}
{quote}
{tables}
"""


def test_strings_files_and_inputs_arrive_as_they_were_written(lab: Lab, run: Run) -> None:
    """Dollars of all kinds, names of ours, files that may be changed in folders that may be written to."""
    given = {
        "DOLLAR": "$$HOME",
        "PARENTHESES": "$(HOSTNAME)",
        "BOTH": "$$(HOSTNAME) $$$$(HOSTNAME)",
        "BRACES": "${HOME} $HOME",
        "OURS": "$ITERATION ${ITERATION}",
        "QUOTES": "\"'`\\n\t",
        "EMPTY": "",
        "UNICODE": "ünïcödé ✓",
    }
    (lab.path / "data.bin").write_bytes(bytes(range(256)))
    script = """
for name in ("a.conf", "deep/er/b.conf"):
    with open(name, "a") as file:
        file.write("more")
os.replace("a.conf", "moved.conf")
pathlib.Path("deep/er/new").touch()
pathlib.Path("in/put/beside").touch()
os.unlink("deep/er/new")
told = {
    "env": {name: environ[name] for name in GIVEN},
    "argv": sys.argv,
    "files": [pathlib.Path(name).read_text() for name in ("moved.conf", "deep/er/b.conf", "odd name,$.conf")],
    "input": hashlib.sha256(pathlib.Path("in/put/data.bin").read_bytes()).hexdigest(),
    "is_here": os.getcwd() == environ["WINDTUNNEL_WORK"],
}
(out / "told.json").write_text(json.dumps(told))
with open(environ["WINDTUNNEL_METRICS"], "a") as metrics:
    for value in (1, 2, 3):
        print(json.dumps({"metric": "latency", "value": value, "unit": "ms", "labels": {"op": "get"}}), file=metrics)
"""
    text = alone(script.replace("GIVEN", repr(list(given))))
    text += "".join(
        f'"{name}" = {json.dumps(content)}\n'
        for name, content in {
            "a.conf": "one $ITERATION ",
            "deep/er/b.conf": "",
            "odd name,$.conf": "100 $$ and $(X)",
        }.items()
    )
    text += "[client.env]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in given.items())
    text += '[[inputs]]\nsrc = "data.bin"\npath = "in/put/data.bin"\n'
    arguments = ["python3", "program.py", "$$HOME", "$(HOSTNAME)", "$$(HOSTNAME)", "", "two words", "$ITERATION"]
    result = run(text.replace('["python3", "program.py"]', json.dumps(arguments)))

    assert result.exit_code == 0, result.stderr
    told = json.loads((lab.only_run() / "artifacts" / "client.1" / "told.json").read_text())
    assert told == {
        "env": {
            "DOLLAR": "$HOME",
            "PARENTHESES": "$(HOSTNAME)",
            "BOTH": "$(HOSTNAME) $$(HOSTNAME)",
            "BRACES": "${HOME} $HOME",
            "OURS": "1 1",
            "QUOTES": given["QUOTES"],
            "EMPTY": "",
            "UNICODE": given["UNICODE"],
        },
        "argv": ["program.py", "$HOME", "$(HOSTNAME)", "$(HOSTNAME)", "", "two words", "1"],
        "files": ["one 1 more", "more", "100 $ and $(X)"],
        "input": hashlib.sha256(bytes(range(256))).hexdigest(),
        "is_here": True,
    }
    assert result.record["metrics"]["latency"]["values"] == [2]


@pytest.mark.long
def test_any_output_is_kept_as_it_was_written(lab: Lab, backend: str, run: Run) -> None:
    """A hundred thousand lines, carriage returns, bytes that are no text, and lines longer than a runtime's buffer."""
    script = """
sys.stdout.buffer.write(b"".join(b"line %06d\\n" % number for number in range(100_000)))
sys.stdout.buffer.write(b"windows\\r\\n\\r\\n50%\\r60%\\r\\n" + bytes(range(256)) + b"\\n\\n\\n  indented\\t\\n")
sys.stdout.buffer.write(b"x" * 100_000 + b"\\n")
sys.stdout.buffer.write("2026-01-01T00:00:00Z no time of ours ünïcödé\\nrate=5\\n".encode())
"""
    result = run(alone(script, RATE.replace("rate=", "^rate=")))

    expected = b"".join(b"line %06d\n" % number for number in range(100_000))
    expected += b"windows\r\n\r\n50%\r60%\r\n" + bytes(range(256)) + b"\n\n\n  indented\t\n" + b"x" * 100_000 + b"\n"
    expected += "2026-01-01T00:00:00Z no time of ours ünïcödé\nrate=5\n".encode()
    assert result.exit_code == 0, result.stderr
    assert result.record["metrics"]["rate"]["values"] == [5]
    written = (lab.only_run() / "logs" / "client.1.log").read_bytes()
    if backend == "kubernetes":
        # containerd takes a carriage return before the end of a line for a part of that.
        expected, written = (each.replace(b"\r\n", b"\n") for each in (expected, written))
    assert len(written) == len(expected)
    assert written == expected


def test_an_unfinished_last_line_is_kept(lab: Lab, run: Run) -> None:
    """Whether a program ends its last line or not, what stands in it counts."""
    result = run(alone("sys.stdout.write('first\\nrate=7')", RATE))

    assert result.record["metrics"]["rate"]["values"] == [7]
    assert (lab.only_run() / "logs" / "client.1.log").read_text().removesuffix("\n") == "first\nrate=7"


@pytest.mark.long
def test_artifacts_of_any_name_owner_and_size_are_kept(lab: Lab, run: Run) -> None:
    """Also those that only another user may read, and fifty megabytes; links are left alone."""
    script = f"""
for number, name in enumerate({NAMES!r}):
    folder = out / f"folder {{number}}"
    folder.mkdir()
    (folder / name).write_text(name)
    os.chmod(folder / name, 0o600)
    if os.geteuid() == 0:
        os.chown(folder / name, {OTHER_USER}, {OTHER_USER})
        os.chown(folder, {OTHER_USER}, {OTHER_USER})
    os.chmod(folder, 0o500)
(out / "empty").touch()
(out / "unreadable").write_text("kept")
os.chmod(out / "unreadable", 0)
(out / "link").symlink_to("/etc/passwd")
(out / "hard").write_text("once")
os.link(out / "hard", out / "harder")
block = bytes(range(256)) * 4096
with open(out / "big", "wb") as big:
    for number in range(50):
        big.write(block)
print("rate=1")
"""
    result = run(alone(script, RATE))

    assert result.exit_code == 0, result.stderr
    folder = lab.only_run() / "artifacts" / "client.1"
    kept = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    big = kept.pop("big")
    assert len(big) == 50 << 20
    assert hashlib.sha256(big).digest() == hashlib.sha256(bytes(range(256)) * 4096 * 50).digest()
    assert kept == {
        **{f"folder {number}/{name}": name.encode() for number, name in enumerate(NAMES)},
        "empty": b"",
        "unreadable": b"kept",
        "hard": b"once",
        "harder": b"once",
    }
