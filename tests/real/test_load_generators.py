"""Real load generators against real servers, read by their parsers through the real command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.lab import Lab
from support.needs import program
from support.servers import SIEGE_KEYS, nginx, postgres
from windtunnel.parsers import PARSERS

pytestmark = pytest.mark.usefixtures("nothing_left")


def parsed_by(name: str) -> str:
    """Return the table of metrics that asks for all that a parser gives."""
    return f'[[metrics]]\nparser = "{name}"\n'


def test_nginx_under_ab(lab: Lab) -> None:
    """All that the parser documents is measured; the rate and the mean latency agree."""
    program("ab", "nginx")
    result = lab.run(nginx(["ab", "-q", "-k", "-n", "4000", "-c", "4", "$SERVER_URL/"], parsed_by("ab")))

    assert result.exit_code == 0, result.stderr
    metrics = result.record["metrics"]
    assert set(metrics) == set(PARSERS["ab"].metrics)
    assert metrics["requests"]["values"] == [4000, 4000, 4000]
    assert metrics["failures"]["values"] == [0, 0, 0]
    rates, means = metrics["requests_per_second"]["values"], metrics["latency_mean"]["values"]
    assert [rate * mean for rate, mean in zip(rates, means, strict=True)] == pytest.approx([4000] * 3, rel=0.05)


def test_nginx_under_wrk(lab: Lab) -> None:
    """All that the parser documents is measured, percentiles in order; error pages alone make the result invalid."""
    program("wrk", "wrk")
    command = ["wrk", "-t", "1", "-c", "4", "-d", "1s", "--latency", "$SERVER_URL/missing"]
    result = lab.run(nginx(command, parsed_by("wrk"), repeats=2))

    assert result.exit_code == 5, result.stderr
    assert result.record["cause"]["code"] == "all_failed"
    metrics = result.record["metrics"]
    assert set(metrics) == set(PARSERS["wrk"].metrics)
    assert metrics["failures"]["values"] == metrics["requests"]["values"]
    latencies = [metrics[f"latency_{name}"]["values"][0] for name in ("p50", "p90", "p99", "max")]
    assert latencies == sorted(latencies)
    assert metrics["requests_per_second"]["mean"] == pytest.approx(metrics["requests"]["mean"], rel=0.2)


@pytest.mark.parametrize("options", [[], ["--json-output"]], ids=["table", "json"])
def test_nginx_under_siege(lab: Lab, options: list[str]) -> None:
    """All that the parser documents is measured, of either form; nothing is written to the home folder."""
    program("siege", "siege")
    home = lab.path / "home"
    home.mkdir()
    lab.env["HOME"] = str(home)
    command = ["siege", *options, "--rc=siegerc", "--no-parser", "-b", "-c", "4", "-r", "1000", "$SERVER_URL/"]
    result = lab.run(nginx(command, parsed_by("siege"), client_keys=SIEGE_KEYS, repeats=1))

    assert result.exit_code == 0, result.stderr
    metrics = result.record["metrics"]
    assert set(metrics) == set(PARSERS["siege"].metrics)
    assert metrics["requests"]["mean"] > 100
    assert metrics["availability"]["mean"] > 90
    assert 0 < metrics["latency_mean"]["mean"] < 100
    assert not (home / ".siege").exists()


def test_a_server_that_only_fails_is_no_result(lab: Lab) -> None:
    """Although siege ends well and prints rates of zero, the run does not take them for numbers."""
    program("siege", "siege")
    command = ["siege", "--rc=siegerc", "--no-parser", "-b", "-c", "2", "-r", "5", "$SERVER_URL/broken"]
    result = lab.run(nginx(command, parsed_by("siege"), client_keys=SIEGE_KEYS, repeats=1))

    assert result.exit_code == 5, result.stderr
    assert result.record["metrics"] == {}


def test_postgresql_under_pgbench(lab: Lab, postgres_folder: Path) -> None:
    """Each of two scripts is a series of its own, beside what they did together."""
    client = (
        "{pgbench} -i -q {connect} 2>/dev/null && {pgbench} -n -c 2 -t 200 -b select-only -b simple-update {connect}"
    )
    result = lab.run(postgres(client, parsed_by("pgbench"), folder=postgres_folder))

    assert result.exit_code == 0, result.stderr
    metrics = result.record["metrics"]
    both, select, update = (f"{{script={name}}}" for name in ("multiple scripts", "select only", "simple update"))
    assert metrics[f"transactions{both}"]["values"] == [400, 400, 400]
    done = [metrics[f"transactions{script}"]["values"] for script in (select, update)]
    assert [sum(pair) for pair in zip(*done, strict=True)] == [400, 400, 400]
    assert metrics[f"latency_mean{select}"]["mean"] < metrics[f"latency_mean{update}"]["mean"]
    assert metrics[f"transactions_per_second{both}"]["unit"] == "1/s"
