"""Addresses of inputs and stores that are no paths."""

from __future__ import annotations

from pathlib import Path

import pytest

from windtunnel.addresses import ClaimAddress, ObjectAddress, parse_object, parse_store


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("runs", Path("runs")),
        ("/data/runs/", Path("/data/runs")),
        ("s3", Path("s3")),
        ("s3://bucket", ObjectAddress("bucket")),
        ("s3://bucket/", ObjectAddress("bucket")),
        ("s3://my.bucket-1/a/b/", ObjectAddress("my.bucket-1", "a/b")),
        ("pvc://claim", ClaimAddress("claim")),
        ("pvc://claim/a/b", ClaimAddress("claim", "a/b")),
    ],
)
def test_a_store_is_a_folder_a_bucket_or_a_claim(text: str, place: object) -> None:
    """What it begins with decides, and a slash at its end means nothing."""
    assert parse_store(text) == place


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a\0b",
        "s3://",
        "s3:///x",
        "s3://ab/x",
        "s3://bucket//x",
        "s3://bucket/./x",
        "s3://bucket/../x",
        "s3://bucket/a\0b",
        "pvc://",
        "pvc://A",
        "pvc://claim/../x",
        "gs://bucket",
        "file:///runs",
        "http://host/x",
    ],
)
def test_what_is_no_store_is_refused(text: str) -> None:
    """There is one message, and it says how to write it."""
    with pytest.raises(ValueError, match=r"write it like|use a folder"):
        parse_store(text)


def test_a_store_in_the_home_folder_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """``~`` is what it is in a shell, only at the beginning."""
    monkeypatch.setenv("HOME", "/home/somebody")
    assert parse_store("~/runs") == Path("/home/somebody/runs")
    assert parse_store("a/~/runs") == Path("a/~/runs")


@pytest.mark.parametrize("text", ["$HOME/runs", "${HOME}/runs", "runs/$USER"])
def test_a_variable_in_a_store_is_refused(text: str) -> None:
    """A folder of that name is not what is meant."""
    with pytest.raises(ValueError, match="variables are not replaced in a store"):
        parse_store(text)


@pytest.mark.parametrize("text", ["s3://key:secret@bucket/x", "s3://secret@bucket/x"])
def test_credentials_in_an_address_are_refused_and_not_repeated(text: str) -> None:
    """They would be kept with the run."""
    with pytest.raises(ValueError, match="credentials do not belong in an address") as refusal:
        parse_object(text)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("text", ["http://me:hunter2@host/x", "pvc://me:hunter2@claim/x"])
def test_a_password_in_what_is_no_store_is_not_repeated(text: str) -> None:
    """Any address may have one, and the message goes to logs and servers."""
    with pytest.raises(ValueError, match=r"write it like|use a folder") as refusal:
        parse_store(text)
    assert "hunter2" not in str(refusal.value)


def test_an_objects_key_is_what_it_is() -> None:
    """Nothing of it is unquoted or tidied."""
    assert parse_object("s3://bucket/a%20b//c d?e#f") == ObjectAddress("bucket", "a%20b//c d?e#f")


@pytest.mark.parametrize("text", ["s3://bucket/a/b", "s3://bucket", "pvc://claim/a", "pvc://claim"])
def test_an_address_is_written_as_it_was_read(text: str) -> None:
    """Its text is what is read from it again."""
    assert str(parse_store(text)) == text


@pytest.mark.parametrize(("key", "below"), [("a", "a/b/c"), ("", "b/c")])
def test_a_name_below_an_address_is_a_key(key: str, below: str) -> None:
    """No key begins with a slash."""
    assert ObjectAddress("bucket", key).below("b/c") == ObjectAddress("bucket", below)
