"""The tables that older systems wrote."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from windtunnel.benchmark import Loaded, parse
from windtunnel.errors import DescriptorError

# As it stands in the "Client-Server strategy" design document of the Anubis project.
TABLE = """
#Our CS pair
strategy = "client-server"
#Additional image to serve as the service
[server]
docker_image="something-like/mms"
#The port to expose to the benchmark
port=80
live_probe="http://localhost:123/iamhere"
#The command to check if server is ready
ready_probe="http://localhost:123/iamok"
start="mms-server --start"
#The command to stop the server - kill -s SIGTERM 1 may be a reasonable fallback
stop="mms-server --stop"
"""
AROUND = '\n[benchmark]\nname = "old"\n\n[client]\ncommand = ["ab", "-n", "100", "$SERVER_URL/"]\n'
OLD = 'spec_version = "1"\n' + TABLE + AROUND


def load_server(table: str) -> Loaded:
    """Return a benchmark with these lines in its ``[server]``."""
    text = f'spec_version = "1"\nstrategy = "client-server"\n{AROUND}\n[server]\nport = 80\n{table}'
    return parse(text, Path("old.toml"))


def test_the_old_table_means_what_it_meant() -> None:
    """Image, probes with their own port, start and stop are all there under today's keys."""
    loaded = parse(OLD, Path("old.toml"))
    server = loaded.benchmark.server
    assert server is not None
    assert loaded.benchmark.benchmark.strategy == "client-server"
    assert server.image == "something-like/mms"
    assert server.port == 80
    assert server.command == ["mms-server", "--start"]
    assert server.stop == ["mms-server", "--stop"]
    assert server.ready is not None
    assert (server.ready.http, server.ready.port) == ("/iamok", 123)
    assert server.live is not None
    assert (server.live.http, server.live.port) == ("/iamhere", 123)


def test_each_translation_is_noted() -> None:
    """There is one note for each key that was changed, and it says what the key is now."""
    assert parse(OLD, Path("old.toml")).notes == (
        "strategy: now benchmark.strategy",
        "server.docker_image: now server.image",
        'server.ready_probe: now server.ready = { http = "/iamok", port = 123 }',
        'server.live_probe: now server.live = { http = "/iamhere", port = 123 }',
        "server.start as one string: now server.command = ['mms-server', '--start']",
        "server.stop as one string: now server.stop = ['mms-server', '--stop']",
    )


def test_a_file_of_today_has_no_notes(client_server: str) -> None:
    """Today's keys are not translated."""
    assert parse(client_server, Path("new.toml")).notes == ()


def test_the_command_line_tells_the_translation_on_standard_error(tmp_path: Path) -> None:
    """``plan`` prints the plan on standard output and the notes with the file's name on standard error."""
    (tmp_path / "old.toml").write_text(OLD, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-m", "windtunnel", "plan", "old.toml", "--format", "json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0
    server, client = json.loads(result.stdout)["steps"]
    assert server["ready"]["probe"] == {"kind": "http", "target": "/iamok", "command": [], "port": 123}
    assert client["needs"] == ["server"]
    assert result.stderr.count("note: old.toml: ") == 6
    assert "note: old.toml: server.ready_probe: now server.ready" in result.stderr


@pytest.mark.parametrize(
    ("url", "path", "port"),
    [
        ("http://localhost/ok", "/ok", None),
        ("http://127.0.0.1:8080/ok", "/ok", 8080),
        ("http://[::1]:8080/ok", "/ok", 8080),
        ("http://localhost", "/", None),
        ("http://localhost/ok?deep=1", "/ok?deep=1", None),
    ],
)
def test_a_probe_on_the_server_itself_is_kept(url: str, path: str, port: int | None) -> None:
    """Path, query and port of the URL are those of the probe."""
    server = load_server(f'start = "serve"\nready_probe = "{url}"').benchmark.server
    assert server is not None
    assert server.ready is not None
    assert (server.ready.http, server.ready.port) == (path, port)


def test_a_command_in_one_string_is_split_as_a_shell_does() -> None:
    """Quotes hold words together."""
    server = load_server("""start = 'serve --name "two words"'""").benchmark.server
    assert server is not None
    assert server.command == ["serve", "--name", "two words"]


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('ready_probe = "http://example.com/ok"', "server.ready_probe"),
        ('live_probe = "https://localhost/ok"', "server.live_probe"),
        ('live_probe = "/ok"', "server.live_probe"),
        ('ready_probe = "http://localhost:99999/ok"', "server.ready_probe"),
        ('ready_probe = "http://localhost:http/ok"', "server.ready_probe"),
        ('live_probe = "http://[::1/ok"', "server.live_probe"),
        ('stop = "kill \'1"', "server.stop"),
    ],
)
def test_an_old_value_without_meaning_here_is_refused_by_its_key(line: str, key: str) -> None:
    """The message has the file and the key as it was written."""
    with pytest.raises(DescriptorError) as refusal:
        load_server(f'start = "serve"\n{line}')
    assert refusal.value.message.startswith(f"old.toml: {key}: ")
