"""A real Prefect server, prepared as the README says: one for each process that runs tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.claims import Claim, volume
from support.needs import package
from support.prefect_cluster import PrefectCluster, prefect_cluster
from support.prefect_lab import PrefectLab

package("prefect")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectLab]:
    """A server with pools, automations, and the deployments of prefect.yaml."""
    lab = PrefectLab(tmp_path_factory.mktemp("prefect"))
    try:
        lab.prepare()
        yield lab
    finally:
        lab.end_all()


@pytest.fixture(scope="session")
def worker(server: PrefectLab) -> PrefectLab:
    """The server with one worker."""
    server.start_worker("one")
    return server


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectCluster]:
    """A server in the cluster, the pool of Jobs, and a worker, in a namespace of their own."""
    with prefect_cluster(tmp_path_factory.mktemp("prefect")) as lab:
        yield lab


@pytest.fixture(scope="session")
def claim(cluster: PrefectCluster) -> Iterator[Claim]:
    """A claim that keeps runs of that namespace."""
    with volume("777", cluster.namespace) as found:
        yield found


@pytest.fixture
def known() -> set[int]:
    """What lives before a test."""
    from support.lab import living

    return set(living())
