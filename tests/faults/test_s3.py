"""S3 as input and store: a real server, and what can go wrong with it, whose result has to survive."""

from __future__ import annotations

import hashlib
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from support import docker_lab, prefect_home
from support.lab import Lab, Result, finish, single_node
from support.needs import package
from support.s3_lab import BUCKET, SECRET, S3Lab, s3_server
from windtunnel.run.s3 import Bucket

pytestmark = pytest.mark.usefixtures("nothing_left")

RATE = '[[metrics]]\nname = "rate"\npattern = "rate=(\\\\S+)"'
STORE = f"s3://{BUCKET}/nightly"
DATA = b"some data\n" * 1000
BIG = 40 << 20


@pytest.fixture
def s3(tmp_path: Path, lab: Lab) -> Iterator[S3Lab]:
    """A server with an empty bucket, which the command line uses."""
    with s3_server(tmp_path / "s3") as server:
        lab.env |= server.env | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
        yield server


def stored(script: str = "echo rate=1", tables: str = "", store: str = STORE) -> str:
    """Return a benchmark of a shell script whose runs go to a store."""
    return single_node(["sh", "-c", script], f'{RATE}\n{tables}\n[output]\nstore = "{store}"')


def with_input(src: str, sha256: str = "") -> str:
    """Return a benchmark that measures how long its input is."""
    pinned = f'sha256 = "{sha256}"' if sha256 else ""
    return single_node(
        ["sh", "-c", "echo rate=$(wc -c < data)"], f'{RATE}\n[[inputs]]\nsrc = "{src}"\npath = "data"\n{pinned}'
    )


def secret_is_nowhere(lab: Lab, result: Result) -> None:
    """Check that the credentials are in no file of a run, and in nothing that was printed."""
    texts = [path.read_bytes() for path in (lab.path / "runs").glob("**/*") if path.is_file()]
    assert not any(SECRET.encode() in text for text in (*texts, result.stdout.encode(), result.stderr.encode()))


@pytest.mark.parametrize("sha256", ["", hashlib.sha256(DATA).hexdigest()], ids=["unpinned", "pinned"])
def test_an_object_is_an_input(lab: Lab, s3: S3Lab, sha256: str) -> None:
    """The step finds it; one that is pinned is fetched once, and then the server may be gone."""
    s3.put("sets/data", DATA)
    text = with_input(f"s3://{BUCKET}/sets/data", sha256)
    result = lab.run(text)

    assert result.exit_code == 0, result.stderr
    assert result.record["metrics"]["rate"]["values"] == [len(DATA)]
    secret_is_nowhere(lab, result)
    s3.kill()
    assert lab.run(text).exit_code == (0 if sha256 else 3)


@pytest.mark.parametrize(
    ("src", "env", "words"),
    [
        (f"s3://{BUCKET}/none", {}, "there is no such object"),
        ("s3://nowhere/x", {}, "there is no bucket 'nowhere'"),
        (f"s3://{BUCKET}/x", {"AWS_SECRET_ACCESS_KEY": "wrong"}, "refuses the credentials"),
        (f"s3://{BUCKET}/x", {"AWS_SECRET_ACCESS_KEY": "", "AWS_ACCESS_KEY_ID": ""}, "set AWS_PROFILE, or"),
        (f"s3://{BUCKET}/x", {"AWS_PROFILE": "nobody"}, "nobody"),
        (f"s3://{BUCKET}/x", {"AWS_ENDPOINT_URL_S3": "http://me:hidden@127.0.0.1:9"}, "no answer from"),
    ],
)
def test_an_object_that_cannot_be_had_is_explained(
    lab: Lab, s3: S3Lab, src: str, env: dict[str, str], words: str
) -> None:
    """Exit 3, and the message says what to do; no password of an address is repeated."""
    s3.put("x", DATA)
    lab.env |= env
    result = lab.run(with_input(src))

    assert result.exit_code == 3
    assert result.cause == "input_unavailable"
    assert words in result.record["cause"]["message"]
    assert f"input s3://{src.split('/')[2]}" in result.record["cause"]["message"]
    assert "hidden" not in result.stderr + result.stdout


def test_an_object_that_is_damaged_is_not_measured(lab: Lab, s3: S3Lab) -> None:
    """Its bytes are checked against the checksum that the store has of it."""
    s3.client.put_object(Bucket=BUCKET, Key="data", Body=DATA, ChecksumAlgorithm="SHA256")
    (s3.path / BUCKET / "data").write_bytes(DATA[::-1])
    result = lab.run(with_input(f"s3://{BUCKET}/data"))

    assert result.exit_code == 3
    assert "damaged on its way" in result.record["cause"]["message"]


def test_an_object_that_is_another_is_not_measured(lab: Lab, s3: S3Lab) -> None:
    """The benchmark says which one it wants."""
    s3.put("data", DATA)
    result = lab.run(with_input(f"s3://{BUCKET}/data", "0" * 64))

    assert result.exit_code == 3
    assert result.cause == "input_mismatch"


def test_a_run_is_stored_whole(lab: Lab, s3: S3Lab) -> None:
    """What is in the bucket is what is in the folder, the record says where, and commands read it from there."""
    result = lab.run(stored("head -c 30000000 /dev/urandom > $WINDTUNNEL_OUT/big; echo rate=3"))

    assert result.exit_code == 0, result.stderr
    folder = lab.only_run()
    assert result.record["upload"] == {"url": f"{STORE}/{folder.name}", "complete": True, "error": None}
    files = {f"nightly/{path.relative_to(folder.parent)}": path for path in folder.glob("**/*") if path.is_file()}
    assert set(s3.objects()) == set(files)
    assert all(s3.read(key) == path.read_bytes() for key, path in files.items())
    assert result.record == json.loads(s3.read(f"nightly/{folder.name}/run.json"))
    secret_is_nowhere(lab, result)


@pytest.mark.full
def test_a_docker_run_by_prefect_is_stored_whole(lab: Lab, s3: S3Lab) -> None:
    """Engine and backend make no difference."""
    package("prefect")
    lab.env |= prefect_home.own_server(lab.path / "prefect")
    text = docker_lab.single_node(["echo", "rate=4"], f'{RATE}\n[output]\nstore = "{STORE}"')
    result = lab.run(text, "--engine", "prefect", "--backend", "docker")

    assert result.exit_code == 0, result.stderr
    folder = lab.only_run()
    files = {f"nightly/{path.relative_to(folder.parent)}" for path in folder.glob("**/*") if path.is_file()}
    assert set(s3.objects()) == files
    assert result.record == json.loads(s3.read(f"nightly/{folder.name}/run.json"))


def test_commands_read_a_store_without_its_folders(lab: Lab, s3: S3Lab) -> None:
    """On another machine, runs are listed, shown and reported; one that the store has no more is not."""
    first, second = (lab.run(stored(f"echo rate={n}")).record["run_id"] for n in (1, 2))
    (lab.path / "runs").rename(lab.path / "elsewhere")

    listed = json.loads(lab.call("runs", "--json", "--store", STORE).stdout)
    assert [record["run_id"] for record in listed] == [first, second]
    shown = lab.call("show", "last", "--store", STORE)
    assert "2.000" in shown.stdout
    assert f"stored: {STORE}/{second}" in shown.stdout
    report = lab.path / "report.html"
    assert lab.call("report", first, "--store", STORE, "-o", str(report)).exit_code == 0
    assert "rate" in report.read_text()
    for key in s3.objects(f"nightly/{first}/"):
        s3.client.delete_object(Bucket=BUCKET, Key=key)
    assert [record["run_id"] for record in json.loads(lab.call("runs", "--json", "--store", STORE).stdout)] == [second]
    assert lab.call("show", first, "--store", STORE).exit_code == 2


def test_a_sweep_of_a_store_is_compared(lab: Lab, s3: S3Lab) -> None:
    """On another machine too: by the sweep's id, with the benchmark and the machines in its report."""
    swept = lab.run(stored("echo rate=$$THREADS", '[matrix]\n"client.env.THREADS" = ["1", "2"]\n"run.repeats" = [3]'))
    sweep = json.loads(swept.stdout)["sweep_id"]
    (lab.path / "runs").rename(lab.path / "elsewhere")

    shown = json.loads(lab.call("show", sweep, "--store", STORE, "--json").stdout)
    assert shown["sweep_id"] == sweep
    assert [run["metrics"]["rate"]["mean"] for run in shown["runs"]] == [1, 2]
    assert lab.call("report", sweep, "--store", STORE, "-o", "sweep.html").exit_code == 0
    report = (lab.path / "sweep.html").read_text()
    assert "[matrix]" in report
    assert "cpu model" in report
    assert set(s3.objects(f"nightly/{sweep}")) == set()


@pytest.mark.parametrize(
    ("store", "env", "words"),
    [
        ("s3://nowhere/x", {}, "there is no bucket 'nowhere'"),
        (STORE, {"AWS_SECRET_ACCESS_KEY": "wrong"}, "refuses the credentials"),
        (STORE, {"AWS_SECRET_ACCESS_KEY": "", "AWS_ACCESS_KEY_ID": ""}, "set AWS_PROFILE, or"),
        (STORE, {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}, "no answer from"),
    ],
)
def test_a_store_that_cannot_be_written_is_refused_before_anything_starts(
    lab: Lab, s3: S3Lab, store: str, env: dict[str, str], words: str
) -> None:
    """Exit 3 without a run: no command is started, and no folder stays."""
    lab.env |= env
    result = lab.run(stored(f"touch {lab.path}/started", store=store))

    assert (result.exit_code, result.cause) == (3, "store_failed")
    assert result.record["run_id"] is None
    assert words in result.record["cause"]["message"]
    assert not (lab.path / "started").exists()
    assert list((lab.path / "runs").iterdir()) == []
    assert s3.objects() == []


def test_a_store_that_dies_meanwhile_costs_no_result(lab: Lab, s3: S3Lab) -> None:
    """Its folder stays, the cause says how to send it, and sending it again mends it."""
    with lab.start("run", str(lab.write(stored("sleep 2; echo rate=5"))), "--json") as process:
        lab.wait_for("iteration_started")
        s3.kill()
        result = finish(process)

    record = result.record
    assert (result.exit_code, result.cause) == (3, "store_failed")
    assert record["validity"] in {"valid", "suspect"}  # as the machine is, not as the store was
    assert record["metrics"]["rate"]["values"] == [5]
    assert record == json.loads((lab.only_run() / "run.json").read_text())
    assert f"windtunnel upload {lab.only_run()}" in record["cause"]["message"]
    assert record["resources"]["left"] == []

    assert lab.call("upload", "last").exit_code == 3
    s3.start()
    again = lab.call("upload", "last", "--json")
    assert again.exit_code == 0, again.stderr
    assert (again.record["status"], again.record["exit_code"], again.record["cause"]) == ("succeeded", 0, None)
    assert json.loads(s3.read(f"nightly/{record['run_id']}/run.json")) == again.record


def test_an_upload_that_was_cut_goes_on_where_it_was(lab: Lab, s3: S3Lab) -> None:
    """Parts that had arrived before the server was killed are not sent again, and the object is whole."""
    s3.proxy.pause = 0.005  # 40 MiB take 3 s at least
    text = stored(f"head -c {BIG} /dev/urandom > $WINDTUNNEL_OUT/big; echo rate=1")
    with lab.start("run", str(lab.write(text)), "--json") as process:
        wait_until(lambda: s3.proxy.sent > 36 << 20)
        s3.kill()
        result = finish(process)
    assert (result.exit_code, result.cause) == (3, "store_failed")

    run_id = result.record["run_id"]
    s3.start()
    assert not any(key.endswith("big") for key in s3.objects())
    assert json.loads(s3.read(f"nightly/{run_id}/run.json"))["status"] == "running"
    s3.proxy.pause = s3.proxy.sent = 0
    assert lab.call("upload", run_id).exit_code == 0
    assert s3.proxy.sent < 10 << 20
    assert (
        s3.read(f"nightly/{run_id}/artifacts/client.1/big") == (lab.only_run() / "artifacts/client.1/big").read_bytes()
    )

    s3.proxy.sent = 0
    assert lab.call("upload", run_id).exit_code == 0
    assert s3.proxy.sent < 1 << 20


def test_an_object_that_was_changed_is_sent_again(lab: Lab, s3: S3Lab) -> None:
    """It is the content that counts, not that something of this size is there."""
    run_id = lab.run(stored()).record["run_id"]
    key = f"nightly/{run_id}/samples.jsonl"
    whole = s3.read(key)
    s3.put(key, whole[::-1])

    assert lab.call("upload", run_id).exit_code == 0
    assert s3.read(key) == whole


def test_a_slow_store_does_not_hold_a_cancelled_run(lab: Lab, s3: S3Lab) -> None:
    """Ctrl-C ends the sending at once; all is in the folder, and the exit code says that it was cancelled."""
    text = stored(f"head -c {BIG} /dev/urandom > $WINDTUNNEL_OUT/big; echo rate=1")
    with lab.start("run", str(lab.write(text)), "--json") as process:
        lab.wait_for("iteration_started")
        s3.proxy.pause = 1
        lab.wait_for("uploading")
        for _twice in range(2):  # before teardown, and after it
            time.sleep(1)
            process.send_signal(signal.SIGINT)
        began = time.monotonic()
        result = finish(process)

    assert time.monotonic() - began < 5
    assert (result.exit_code, result.record["status"]) == (130, "cancelled")
    assert result.record["metrics"]["rate"]["values"] == [1]
    assert "windtunnel upload" in result.record["cause"]["message"]
    assert (lab.only_run() / "artifacts/client.1/big").stat().st_size == BIG


def test_a_run_that_was_killed_is_sent_as_lost(lab: Lab, s3: S3Lab) -> None:
    """What it measured until then is in its folder, and a reader of the store is told that its driver is gone."""
    text = stored("echo rate=$ITERATION; [ $ITERATION = 1 ] || sleep 1000", "[run]\nrepeats = 2")
    with lab.start("run", str(lab.write(text))) as process:
        lab.wait_for('"iteration":2')
        process.kill()
    run_id = lab.only_run().name
    assert json.loads(s3.read(f"nightly/{run_id}/run.json"))["status"] == "running"

    assert lab.call("upload", run_id).exit_code == 0
    (lab.path / "runs").rename(lab.path / "elsewhere")
    shown = lab.call("show", run_id, "--store", STORE, "--json").record
    assert (shown["status"], shown["metrics"]["rate"]["values"]) == ("lost", [1])


def test_a_run_of_a_folder_can_be_sent_elsewhere(lab: Lab, s3: S3Lab) -> None:
    """To where the call says; without that, it is told to say it."""
    run_id = lab.run(single_node(["sh", "-c", "echo rate=1"], RATE)).record["run_id"]
    refused = lab.call("upload", "last")

    assert refused.exit_code == 2
    assert "--to s3://bucket/prefix" in refused.stderr
    assert lab.call("upload", "last", "--to", f"s3://{BUCKET}").exit_code == 0
    assert f"{run_id}/run.json" in s3.objects()


def wait_until(holds: object, seconds: float = 30) -> None:
    """Wait until something holds."""
    assert callable(holds)
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.01)


def test_a_browser_opens_a_stored_report_by_its_link(s3: S3Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no credentials, and is told that it is HTML, which the store does not know."""
    for name, value in s3.env.items():
        monkeypatch.setenv(name, value)
    s3.put("nightly/run/report.html", b"<html>")
    link = Bucket(BUCKET, "store_failed").link("nightly/run/report.html", 60, "text/html; charset=utf-8")
    with urlopen(link) as answer:
        assert (answer.read(), answer.headers["Content-Type"]) == (b"<html>", "text/html; charset=utf-8")
