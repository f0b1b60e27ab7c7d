"""Two runs of a pool on Kubernetes on one target: of the second nothing is made before all of the first is gone."""

from __future__ import annotations

from uuid import uuid4

import pytest

from support.claims import Claim
from support.deployed import FINAL_SECONDS, deploy
from support.docker_lab import client_server
from support.kubernetes_history import check_turns, history
from support.prefect_cluster import PrefectCluster
from windtunnel.backends.labels import RUN
from windtunnel.engines.prefect.deployment import KUBERNETES_POOL

pytestmark = [pytest.mark.timeout(900), pytest.mark.full]
START_SECONDS = 240.0
QUEUE = f"/work_pools/{KUBERNETES_POOL}/queues/default"


@pytest.mark.parametrize("limit", [1, 2], ids=["queued", "waiting"])
def test_the_next_run_of_a_pool_begins_when_the_cancelled_one_is_gone(
    cluster: PrefectCluster, claim: Claim, limit: int
) -> None:
    """The queue starts it when the first is being cancelled, for which its limit counts no more, or before."""
    target = f"box-{uuid4().hex[:8]}"

    def start(name: str, client: str, repeats: int) -> str:
        tables = f"[target]\nname = '{target}'\n[run]\nrepeats = {repeats}\n[output]\nstore = '{claim.store}'"
        text = client_server(client=client, tables=tables).replace('"faulty"', f'"{name}"')
        deploy(cluster, name, text, "--pool", KUBERNETES_POOL)
        return cluster.start(f"client-server/{name}")

    cluster.ask("PATCH", QUEUE, {"concurrency_limit": limit}).raise_for_status()
    try:
        with history() as found:
            first = start(f"{target}-first", "--hang-in 2", repeats=2)
            cluster.until(lambda: "client.2 | client: hanging" in cluster.log(first), START_SECONDS, "hang")
            holder = cluster.flow_run(first)["name"]
            second = start(f"{target}-second", "--requests 3", repeats=1)
            if limit > 1:
                words = f"waits for target {target}: run {holder} has it"
                cluster.until(lambda: any(words in line for line in cluster.log(second)), START_SECONDS, words)
            cluster.cancel(first)
            states = [cluster.final(run, seconds) for run, seconds in ((first, FINAL_SECONDS), (second, START_SECONDS))]
            cluster.until(lambda: not cluster.get("pods,jobs,leases", RUN), FINAL_SECONDS, "end of both runs")
            check_turns(found, holder, states[1]["name"])
    finally:
        cluster.ask("PATCH", QUEUE, {"concurrency_limit": 1})

    assert [each["state"]["name"] for each in states] == ["Cancelled", "Completed"], cluster.log(second)
    assert [each["run_count"] for each in states] == [1, 1]
    assert cluster.get("leases", f"windtunnel.dev/target={target}") == []
