"""Reading a benchmark file: overrides, defaults, and every mistake told at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from windtunnel.benchmark import load, parse
from windtunnel.benchmark.programs import Ready
from windtunnel.errors import DescriptorError

FILE = Path("benchmark.toml")


def override(text: str, *overrides: str) -> dict[str, object]:
    """Return the benchmark that overrides make of a text, as data."""
    return parse(text, FILE, overrides).benchmark.model_dump()


def test_defaults_are_those_of_the_format(client_server: str) -> None:
    """What is not said is one iteration without warm-up, an hour, and a TCP probe within a minute."""
    benchmark = parse(client_server, FILE).benchmark
    server = benchmark.all_servers()["server"]
    assert (benchmark.run.warmup, benchmark.run.repeats, benchmark.run.fresh) == (0, 1, False)
    assert benchmark.benchmark.timeout == 3600
    assert (server.grace, server.replicas, server.placement, server.ready) == (10, 1, "apart", Ready(tcp=True))
    assert (benchmark.output.store, benchmark.output.artifacts) == ("runs", ["**"])
    assert benchmark.metrics[0].reduce == "median"


def test_a_file_is_kept_as_it_was_given(tmp_path: Path, single_node: str) -> None:
    """A loaded benchmark knows its text, its path and its overrides."""
    path = tmp_path / "mine.toml"
    path.write_text(single_node, encoding="utf-8")
    loaded = load(path, ["run.repeats=2"])
    assert (loaded.text, loaded.path, loaded.overrides, loaded.notes) == (single_node, path, ("run.repeats=2",), ())


@pytest.mark.parametrize(
    ("argument", "table", "key", "value"),
    [
        ("run.repeats=7", "run", "repeats", 7),
        ("run.fresh=true", "run", "fresh", True),
        (" run.repeats = 7 ", "run", "repeats", 7),
        ("output.store=elsewhere", "output", "store", "elsewhere"),
        ('output.store="7"', "output", "store", "7"),
        ("output.store=a=b", "output", "store", "a=b"),
        ('client.command=["other", "x"]', "client", "command", ["other", "x"]),
        ("client.command.0=other", "client", "command", ["other"]),
        ("client.env.LANG=C", "client", "env", {"LANG": "C"}),
        ('benchmark.labels={ team = "a" }', "benchmark", "labels", {"team": "a"}),
    ],
)
def test_an_override_sets_any_key(single_node: str, argument: str, table: str, key: str, value: object) -> None:
    """The value is TOML, and plain text where it is not; tables that lack are made."""
    found = override(single_node, argument)[table]
    assert isinstance(found, dict)
    assert found[key] == value


def test_an_override_reaches_into_a_list_of_tables(single_node: str) -> None:
    """A number in the key counts the items of a list from 0."""
    assert parse(single_node, FILE, ["metrics.0.unit=ms"]).benchmark.metrics[0].unit == "ms"


def test_the_last_override_of_a_key_wins(single_node: str) -> None:
    """Overrides are applied in their order."""
    assert parse(single_node, FILE, ["run.repeats=2", "run.repeats=3"]).benchmark.run.repeats == 3


def test_an_override_can_repair_a_file() -> None:
    """The file is checked after its overrides."""
    text = 'spec_version = "1"\nbenchmark = { name = "x", strategy = "single-node" }'
    assert parse(text, FILE, ["client.command=['true']"]).benchmark.client.command == ["true"]


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("run.repeats", "--set run.repeats: write it as key.path=value"),
        ("=3", "--set =3: write it as key.path=value"),
        ("run..repeats=3", "write it as key.path=value"),
        (".run=3", "write it as key.path=value"),
        ("#run=3", "write it as key.path=value"),
        ("[run]\nrepeats=3", "write it as key.path=value"),
        ("benchmark.name.x=3", "benchmark.name is not a table"),
        ("benchmark.name.x.y=3", "benchmark.name.x is not a table"),
        ("metrics.5.unit=ms", "metrics.5 is not a table"),
        ("metrics.5=ms", "metrics is not a table"),
        ("metrics.first.unit=ms", "metrics.first is not a table"),
        ("client.command.-1=x", "client.command is not a table"),
        ("run.repeats=many", "run.repeats: input should be a valid integer, not 'many'"),
        ("run.repeat=3", "run.repeat: unknown key; did you mean 'repeats'?"),
        ("run.until={ci = 0.02}", "run.until: not yet"),
        ("run=3", "run: "),
    ],
)
def test_a_wrong_override_is_refused_in_its_own_words(single_node: str, argument: str, words: str) -> None:
    """The message has the argument, or the key that it broke."""
    with pytest.raises(DescriptorError) as refusal:
        parse(single_node, FILE, [argument])
    assert words in refusal.value.message


def test_every_mistake_is_told_at_once() -> None:
    """One mistake a line, each with its key, after the file's name and their number."""
    text = 'spec_version = "1"\n[benchmark]\nname = "X"\nstrategy = "single-node"\n[client]\ncommand = []\n[run]\nx = 1'
    with pytest.raises(DescriptorError) as refusal:
        parse(text, FILE)
    lines = refusal.value.message.splitlines()
    assert lines[0] == "benchmark.toml: 3 mistakes"
    assert [line.strip().partition(":")[0] for line in lines[1:]] == ["benchmark.name", "client.command", "run.x"]


@pytest.mark.parametrize(("name", "words"), [("none.toml", "No such file"), (".", "Is a directory")])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str, words: str) -> None:
    """The message says which file, and what the system said."""
    with pytest.raises(DescriptorError, match=words) as refusal:
        load(tmp_path / name)
    assert str(tmp_path) in refusal.value.message


def test_numbers_in_env_become_text(single_node: str) -> None:
    """Whole ones may be written without quotes."""
    loaded = parse(single_node, FILE, ["client.env={ PORT = 8080, DEPTH = -1 }"])
    assert loaded.benchmark.client.env == {"PORT": "8080", "DEPTH": "-1"}


@pytest.mark.parametrize("value", ["1.10", "15.10", "1e3", "007", "0x10", "true", "nan", "1_000"])
def test_an_override_of_a_variable_reaches_the_program_as_it_was_written(single_node: str, value: str) -> None:
    """The value is text, whatever TOML would take it for."""
    assert parse(single_node, FILE, [f"client.env.V={value}"]).benchmark.client.env == {"V": value}


@pytest.mark.parametrize("written", ['"1.10 x"', "'1.10 x'"])
def test_an_override_of_a_variable_may_be_quoted(single_node: str, written: str) -> None:
    """The quotes are TOML's, not the program's."""
    assert parse(single_node, FILE, [f"client.env.V={written}"]).benchmark.client.env == {"V": "1.10 x"}


@pytest.mark.parametrize("value", ["1.10", "1e3", "nan"])
def test_a_variable_that_is_no_whole_number_has_to_be_quoted(single_node: str, value: str) -> None:
    """TOML does not keep that 1.10 is not 1.1."""
    with pytest.raises(DescriptorError, match=r"client\.env\.V: .* quote it"):
        parse(single_node, FILE, [f"client.env={{ V = {value} }}"])


def test_a_mistake_is_told_with_its_place_whatever_is_secret(single_node: str) -> None:
    """A password may be the word that a table is called by."""
    overrides = ["client.env.PASSWORD=client", "client.env.OTHER_PASSWORD=command", "client.command=5"]
    with pytest.raises(DescriptorError, match=r"client-1/b\.toml: client\.command: input should be a valid"):
        parse(single_node, Path("client-1/b.toml"), overrides)


def test_an_override_beyond_the_end_of_a_list_is_refused(single_node: str) -> None:
    """The first index that is missing is its length."""
    loaded = parse(single_node, FILE, ["client.command.0=other"])
    length = len(loaded.benchmark.client.command)
    for argument in (f"client.command.{length}=x", "metrics.1.unit='x'"):
        with pytest.raises(DescriptorError, match="is not a table"):
            parse(single_node, FILE, [argument])


@pytest.mark.parametrize("argument", ["run.repeats=0x" + "F" * 5000, "labels.a=[0x" + "F" * 5000 + "]"])
def test_an_integer_that_nobody_can_write_is_refused(single_node: str, argument: str) -> None:
    """TOML promises 64 bits, and Python writes 4,300 digits at most."""
    with pytest.raises(DescriptorError, match="an integer has 64 bits at most"):
        parse(single_node, FILE, [argument])


def test_a_benchmark_cannot_be_changed(single_node: str) -> None:
    """A loaded benchmark is frozen."""
    benchmark = parse(single_node, FILE).benchmark
    with pytest.raises(ValueError, match="frozen"):
        benchmark.run.repeats = 2  # type: ignore[misc]
