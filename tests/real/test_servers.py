"""Real servers under real load generators, through the real command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.lab import Lab
from support.needs import program
from support.servers import nginx, postgres, redis

pytestmark = pytest.mark.usefixtures("nothing_left")

AB = ["ab", "-n", "2000", "-c", "4", "-e", "$WINDTUNNEL_OUT/percentiles.csv", "$SERVER_URL/"]
AB_METRICS = """
[[metrics]]
name = "requests_per_second"
unit = "1/s"
better = "higher"
pattern = 'Requests per second: +([\\d.]+)'
[[metrics]]
name = "failed"
pattern = 'Failed requests: +(\\d+)'
[output]
artifacts = ["*.csv"]
"""

PGBENCH_METRICS = """
[[metrics]]
name = "transactions_per_second"
unit = "1/s"
better = "higher"
pattern = 'tps = ([\\d.]+)'
[[metrics]]
name = "latency_mean"
unit = "ms"
better = "lower"
pattern = 'latency average = ([\\d.]+) ms'
"""


def test_redis_under_redis_benchmark(lab: Lab) -> None:
    """Both operations come back as series of their own, the stop command is used, nothing is left."""
    result = lab.run(redis())

    assert result.exit_code == 0, result.stderr
    metrics = result.record["metrics"]
    assert metrics["requests_per_second{test=GET}"]["n"] == 3
    assert metrics["requests_per_second{test=SET}"]["unit"] == "1/s"
    assert metrics["requests_per_second{test=GET}"]["mean"] > 1000
    assert 0 < metrics["latency_p50{test=GET}"]["mean"] < 50
    assert "bye" in (lab.only_run() / "logs" / "server.log").read_text()
    assert result.record["resources"] == {"created": 5, "gone": 5, "left": []}


def test_nginx_under_ab(lab: Lab) -> None:
    """A master with workers is one server; files are substituted; artifacts are kept an iteration."""
    program("ab", "nginx")
    result = lab.run(nginx(AB, AB_METRICS))

    assert result.exit_code == 0, result.stderr
    assert result.record["metrics"]["requests_per_second"]["mean"] > 100
    assert result.record["metrics"]["failed"]["values"] == [0, 0, 0]
    csv = lab.only_run() / "artifacts" / "client.2" / "percentiles.csv"
    assert csv.read_text().startswith("Percentage served")


def test_postgresql_under_pgbench(lab: Lab, postgres_folder: Path) -> None:
    """Patterns read its output; its many processes are one server."""
    client = "{pgbench} -i -q {connect} 2>/dev/null && {pgbench} -c 2 -T 1 {connect}"
    result = lab.run(postgres(client, PGBENCH_METRICS, folder=postgres_folder))

    assert result.exit_code == 0, result.stderr
    metrics = result.record["metrics"]
    assert metrics["transactions_per_second"]["n"] == 3
    # Each iteration for itself: on a busy machine they differ, and a mean of quotients is no quotient of means.
    rates, latencies = metrics["transactions_per_second"]["values"], metrics["latency_mean"]["values"]
    assert latencies == pytest.approx([2000 / rate for rate in rates], rel=0.2)
    usage = [json.loads(line) for line in (lab.only_run() / "usage.jsonl").read_text().splitlines()]
    assert max(line["processes"] for line in usage if line["step"] == "server") > 4


def test_sigkill_of_the_driver_takes_postgresql_down(lab: Lab, postgres_folder: Path) -> None:
    """Its processes leave their group and rewrite their environment, and are ended all the same."""
    text = postgres("sleep 1000", PGBENCH_METRICS, folder=postgres_folder)
    with lab.start("run", str(lab.write(text))) as process:
        for line in process.stderr or ():
            if "server is ready" in line:
                break
        process.kill()
        process.communicate()
    # The fixture counts: all of it is gone soon.
