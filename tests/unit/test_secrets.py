"""What is a secret and what only looks like one; and what is written instead of it."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.secrets import KEPT, MARK, full_of_secrets, leaks
from windtunnel.benchmark import load_all, parse
from windtunnel.benchmark import parse_all as parse_sweep
from windtunnel.errors import DescriptorError
from windtunnel.secrets import REDACTED, Redaction, find_in_command, find_in_line, has_secret, is_secret
from windtunnel.secrets import toml as toml_module
from windtunnel.secrets.toml import dump

FILE = Path("benchmark.toml")
SECRET_NAMES = """
PREFECT_API_AUTH_STRING SMTP_AUTH_HEADER
MYSQL_PWD REDISCLI_AUTH DB_PASS PASS PASSPHRASE GITHUB_PAT SSH_KEY AUTHORIZATION BASIC_AUTH COOKIE ENCRYPTION_KEY
SIGNING_KEY KEY PWD_DB PGPASSWORD AWS_SESSION_TOKEN API_KEY DB_PASSWORD passwd API_TOKEN AWS_SECRET_ACCESS_KEY MY_SECRET
APIKEY credential_x AWS_ACCESS_KEY_ID apiKey authToken X-Api-Key TOKEN2 PASSWORD1 DSN CREDENTIALS requirepass masterauth
client_secret AccountKey OPENAI_API_KEYS privateKeyPem SECRET_ID session-cookie HTTP_PROXY_AUTHORIZATION PASSWORD_OLD
SECRET_KEY_BASE OAuthToken API_TOKENS JWT access_key
"""
OTHER_NAMES = """
TOKENIZER MAX_TOKENS AUTHOR KEYBOARD MONKEY PWD OLDPWD KEY_COUNT PUBLIC_KEY TOKENS_PER_SECOND PATH LANG NUM_TOKENS
TOKENIZERS_PARALLELISM TOKEN_LIMIT PASSWORD_FILE PASS_COUNT FIRST_PASS COMPASS BYPASS SSH_AUTH_SOCK XAUTHORITY
PRIMARY_KEY CACHE_KEY SECRETARY COOKIE_DOMAIN AUTH_TYPE ENABLE_AUTH KEYSPACE PASSENGER MIN_PASSWORD_LENGTH TOKEN_URL
PATTERN TURNKEY OUTPUT_TOKENS _ 1
"""


@pytest.mark.parametrize("name", SECRET_NAMES.split())
def test_a_name_is_secret_by_one_of_its_words(name: str) -> None:
    """In any case, between underscores, hyphens, dots and humps, with or without a number after it."""
    assert is_secret(name)


@pytest.mark.parametrize("name", OTHER_NAMES.split())
def test_a_name_that_only_looks_like_a_secrets_is_none(name: str) -> None:
    """Words that begin or end so, counts and limits, files and addresses, and what everybody may know."""
    assert not is_secret(name)


SECRETS_IN_TEXT = {
    "address": "psql postgres://somebody:{}@database:5432/db",
    "address with a port": "amqp://u:{}@h:1/v",
    "address without a name": "redis://:{}@h/0",
    "go": "root:{}@tcp(h:3306)/db",
    "token in an address": "git clone https://{}@github.com/x",
    "s3": "https://b/x?X-Amz-Date=1&X-Amz-Signature={}&X-Amz-Expires=9",
    "s3 token": "https://b/x?X-Amz-Security-Token={}",
    "s3 credential": "https://b/x?X-Amz-Credential={}",
    "google": "https://b/x?X-Goog-Signature={}",
    "azure": "https://b/x?sv=2024&sig={}&se=2026",
    "query": "http://h/x?a=1&access_token={}&b=2",
    "query of a fragment": "/x?api_key={}",
    "bearer": "Authorization: Bearer {}",
    "basic": '-H "Authorization: Basic {}" http://h/',
    "header": "X-Api-Key: {}",
    "cookie": "Cookie: {}",
    "json": '{{"password": "{}", "x": 1}}',
    "option": "--password={}",
    "option of two words": "redis-benchmark --api-key {} -q",
    "variable": "PGPASSWORD={} psql",
    "weak variable": "DB_PASS={} app",
    "short option": "redis-cli -h h -a {} ping",
    "user": "curl -u me:{} http://h/",
    "user beside its option": "curl -ume:{} http://h/",
    "user after several options": "curl -sSu me:{} http://h/",
    "user after a sign": "curl --user=me:{} http://h/",
    "program's list": 'run(["redis-cli", "-a", "{}"])',
    "user in quotes": "curl --user='me:{}' http://h/",
    "user of etcd": "etcdctl --user me:{} get x",
    "beside its option": "sshpass -p{} ssh h",
    "after a sign": "memtier_benchmark --authenticate={} -n 5",
    "after a command": "redis-cli -h h AUTH {}",
    "capital option": "mosquitto_pub -u me -P {} -t x",
    "mysql": "mysqldump -p{} db",
    "ini": "[a]\npassword = {}\n",
    "yaml": "db:\n  password: {}\n",
    "python": "client.login(password='{}')",
    "xml": "<a><password>{}</password></a>",
    "redis": "bind 0.0.0.0\nrequirepass {}\nport 1",
    "redis in quotes": 'requirepass "{}"',
    "user of redis": "user me on ~* >{} +@all",
    "netrc": "machine h login me password {}",
    "pgpass": "h:5432:db:me:{}",
    "sql": "ALTER USER me WITH PASSWORD '{}'",
    "sql of mysql": "CREATE USER me IDENTIFIED WITH sha256_password BY '{}'",
    "subscript": "os.environ['API_TOKEN'] = '{}'",
    "python header": 'headers={{"Authorization": f"Bearer {}"}}',
    "flow": "{{api_key: {}, x: 1}}",
    "list": "user=me,password={},x=1",
    "connection": "Server=h;Password={};Database=x",
    "private key": "-----BEGIN RSA PRIVATE KEY-----{}-----END RSA PRIVATE KEY-----",
}


@pytest.mark.parametrize("text", SECRETS_IN_TEXT.values(), ids=SECRETS_IN_TEXT)
def test_a_secret_in_a_text_is_found_and_nothing_else_is_hidden(text: str) -> None:
    """Whatever says that it is one; the text around it stays as it is."""
    assert Redaction().line(text.format(f"{MARK}_0123456789abcdef")) == text.format(REDACTED)


HARMLESS = (
    "wrk -t2 -c10 http://127.0.0.1:8080/get?key=foo",
    "python bench.py --tokenizer meta-llama --max-tokens 512 --key abc",
    "sorted(items, key=len)",
    'await send({"type": "http.response.start", "key": "client"})',
    "def login(token: str, password: str | None = None) -> None:",
    "token = tokenizer.next()",
    "TOKEN=tokens.next()",
    "PASSWORD=args.password",
    "serve --auth none --port 80",
    "serve --auth=basic --http-auth digest",
    "BASIC_AUTH=off serve",
    "password = args.password",
    "connect(user, password=password)",
    "if token == expected:",
    "--password $PASSWORD --token=${TOKEN} PGPASSWORD=$$PW",
    "postgres://$USER:$PASSWORD@h/db",
    "Authorization: Bearer $TOKEN",
    "ssh://git@host/x",
    "http://user@host/",
    "keys: 1, tokens: 5, author: me",
    "--ssh-key=/home/me/.ssh/id_rsa",
    "mysql -p --user root",
    "redis-cli -a",
    "curl -u me http://h/",
    "curl -ume http://h:80/",
    "curl --user=me:$PASSWORD http://h/",
    "sshpass -p $PASSWORD -e ssh h",
    "sshpass -p$PASSWORD ssh h",
    "user me on a path > file",
    "the default login has a password too",
    "12:30:45 is 5:a:b:c",
    "http://h/x?sig=1&max_tokens=5&Signature=short",
    "user@tcp(h)/db and 12:30@tcp",
    "the bearer of this letter",
    "Password: $PASSWORD",
    "def f(token: Words, password: SecretStr, x: int) -> None:",
    "call(token=tok)",
    "CREATE USER me PASSWORD '$PASSWORD'",
    "<token>$TOKEN</token> <tokenizer>a</tokenizer>",
    "a password of 12 letters, 'quoted'",
)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_alike_stays(text: str) -> None:
    """Programs, references to variables, words, short keys of data, names without a password."""
    assert Redaction().line(text) == text
    assert list(find_in_command([text])) == []


@pytest.mark.parametrize("value", ["hunter)2", "p&ss", "a,b}c", "x(y"])
def test_a_line_of_variables_has_its_whole_value_hidden(value: str) -> None:
    """An .env file quotes nothing, and its passwords have all sorts of signs."""
    assert Redaction().line(f"A=1\nDB_PASSWORD={value}\nB=2") == f"A=1\nDB_PASSWORD={REDACTED}\nB=2"


def test_how_somebody_is_let_in_is_no_secret() -> None:
    """A server without a login can be measured anywhere, and its setting is shown."""
    table = {"server": {"env": {"AUTH": "none", "HTTP_AUTH": "Basic", "BASIC_AUTH": "me:none", "PASSWORD": "none"}}}
    shown = Redaction().document(table)["server"]["env"]

    assert shown == {"AUTH": "none", "HTTP_AUTH": "Basic", "BASIC_AUTH": REDACTED, "PASSWORD": REDACTED}
    assert not has_secret("AUTH", "none")


def test_a_file_that_is_called_a_secret_and_holds_one_word_is_one() -> None:
    """As programs take it by PASSWORD_FILE; what is more than a word is a file like any other."""
    files = {
        "db_password": "hunter-2\n",
        "run/token.txt": "hunter-2",
        "secrets.toml": "a = 5",
        "token.json": "{}",
        "x": "y",
    }
    shown = Redaction().document({"server": {"files": files}})["server"]["files"]

    assert shown == files | dict.fromkeys(("db_password", "run/token.txt"), REDACTED)
    assert Redaction.of([{"server": {"files": files}}]).known("it is hunter-2") == f"it is {REDACTED}"


def test_an_operand_is_a_secret_by_the_option_before_it() -> None:
    """Among the words of a command; a path, a reference and another option are none."""
    command = [
        "/usr/bin/redis-benchmark",
        "-a",
        "s1",
        "--token",
        "s2",
        "--password",
        "-x",
        "--auth",
        "$AUTH",
        "--pass",
        "s3",
    ]
    assert [command[number] for number, _span in find_in_command(command)] == ["s1", "s2", "s3"]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("API_TOKEN", "x", True),
        ("API_TOKEN", "", False),
        ("DATABASE_URL", "postgres://u:pw@h/", True),
        ("DATABASE_URL", "postgres://h/", False),
        ("TOKENIZER", "meta", False),
    ],
)
def test_a_variable_has_a_secret_by_its_name_or_its_value(name: str, value: str, *, expected: bool) -> None:
    """So it is known what must not be a parameter."""
    assert has_secret(name, value) is expected


def test_a_known_secret_is_hidden_however_it_is_spelt() -> None:
    """Plain, in JSON, in Python, in an address, its lines, and decoded from an address."""
    hidden = Redaction(frozenset({'a"b\\cé d1', "one-line-of-it\nanother-line-of", "p%40ss-1"}))
    texts = [
        'a"b\\cé d1',
        json.dumps('a"b\\cé d1'),
        repr('a"b\\cé d1'),
        "a%22b%5Cc%C3%A9%20d1",
        "x another-line-of y",
        "p@ss-1",
    ]
    assert [text for text in texts if REDACTED not in hidden.known(text)] == []


@pytest.mark.parametrize(
    ("secret", "text", "expected"),
    [
        ("postgres", "postgres postgresql", f"{REDACTED} postgresql"),
        ("123456", "123456 1234567", f"{REDACTED} 1234567"),
        ("ab1", "ab1 xab1", f"{REDACTED} xab1"),
        ("abc", "abc", "abc"),
        ("12345", "12345", "12345"),
        ("hunter2", "-phunter2", f"-p{REDACTED}"),
        ("client", "client", "client"),
    ],
)
def test_a_value_that_is_also_a_word_hides_no_other_word(secret: str, text: str, expected: str) -> None:
    """Words and numbers are found whole, short ones not at all, and the names of steps stay."""
    assert Redaction(frozenset({secret}), frozenset({"client"})).known(text) == expected


def test_a_name_that_has_a_secret_in_it_stays_whole() -> None:
    """Alone, and where a longer secret begins in it the secret counts."""
    hidden = Redaction(frozenset({"postgres", "postgres-bench-swordfish"}), frozenset({"postgres-bench"}))

    text = "postgres is postgres-bench and postgres, my-postgres-bench-1"
    assert hidden.known(text) == f"{REDACTED} is postgres-bench and {REDACTED}, my-postgres-bench-1"
    assert hidden.known("postgres-bench-swordfish") == REDACTED


def test_a_file_is_masked_in_place(tmp_path: Path) -> None:
    """As long as it was, across the pieces that it is read in, and what comes later too."""
    path = tmp_path / "log"
    size = 1 << 20
    path.write_bytes(b"x" * (size - 3) + b"swordfish-1" + b"x" * size + b"swordfish-1")
    inode = path.stat().st_ino
    hidden = Redaction(frozenset({"swordfish-1"}))
    seen = hidden.mask(path)
    with path.open("ab") as file:
        file.write(b"\nswordfish-1\n")
    again = hidden.mask(path, seen)

    data = path.read_bytes()
    assert (seen, again, len(data)) == (2 * size + 19, 2 * size + 32, 2 * size + 32)
    assert (path.stat().st_ino, data.count(b"*"), b"swordfish" in data) == (inode, 33, False)


def test_a_short_secret_is_masked_in_texts_only(tmp_path: Path) -> None:
    """Of an image or an archive, these few bytes may be a part by chance."""
    path = tmp_path / "data"
    hidden = Redaction(frozenset({"q7-zx", "swordfish-1"}))
    path.write_bytes(b"q7-zx swordfish-1")
    hidden.mask(path, is_text=False)
    binary = path.read_bytes()
    hidden.mask(path)
    assert (binary, path.read_bytes()) == (b"q7-zx ***********", b"***** ***********")


@pytest.mark.parametrize("kind", ["folder", "pipe", "link", "nothing"])
def test_what_is_no_file_is_not_masked(tmp_path: Path, kind: str) -> None:
    """It neither waits nor follows a link out of the run's folder."""
    outside = tmp_path / "outside"
    outside.write_text("swordfish-1")
    path = tmp_path / "log"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to(outside)
    assert Redaction(frozenset({"swordfish-1"})).mask(path) == 0
    assert outside.read_text() == "swordfish-1"


FORMS = {
    "plain": 'API_TOKEN = "{}" # kept',
    "literal": "API_TOKEN = '{}'",
    "several lines": 'API_TOKEN = """\n{}\nmore"""',
    "several literal lines": "API_TOKEN = '''\n{}\nmore'''",
    "a quote in it": 'API_TOKEN = "{}\\" x"',
    "quoted key": '"API_TOKEN" = "{}"',
    "dotted": 'x.env.ACCESS_KEY = "{}"',
    "inline": '"x" = {{ env = {{ PASS = "{}", LANG = "C" }} }}',
    "dotted inline": '"x" = {{ env.PASS = "{}", b = 1979-05-27 07:32:00, env.LANG = "C" }}',
    "comment": '# password = "{}"',
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_secret_is_hidden_however_toml_spells_it(form: str) -> None:
    """The text stays TOML, and all its other values stay."""
    text = f'[client.env]\nLANG = "C" # a comment\n{form.format(f"{MARK}_1 = ]")}\n[run]\nrepeats = 3\n'
    hidden = Redaction().toml(text)
    document = tomllib.loads(hidden)

    assert leaks(hidden) == []
    assert (document["client"]["env"]["LANG"], document["run"]) == ("C", {"repeats": 3})
    assert 'LANG = "C" # a comment' in hidden


def test_a_text_without_secrets_is_kept_as_it_is() -> None:
    """Not a letter of it is changed."""
    for path in (Path(__file__).parents[2] / "flows").glob("*.toml"):
        text = path.read_text(encoding="utf-8")
        assert Redaction().toml(text) == text


def test_a_text_that_cannot_be_rewritten_in_place_is_written_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it has the same values, without layout and comments: it never breaks, and never leaks."""
    text = full_of_secrets("full", matrix=True)
    wanted = tomllib.loads(Redaction().toml(text))
    monkeypatch.setattr(toml_module, "_statements", lambda _tokens: [])
    hidden = Redaction().toml(text)
    assert tomllib.loads(hidden) == wanted
    assert leaks(hidden) == []


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ('client.env={API_TOKEN="ab1"}', f'client.env={{API_TOKEN="{REDACTED}"}}'),
        ("client.env.API_TOKEN=ab1", f"client.env.API_TOKEN={REDACTED}"),
        ('client.env."API_TOKEN"=x=y', f'client.env."API_TOKEN"={REDACTED}'),
        ('client.command=["a","--token","x1"]', f'client.command=["a","--token","{REDACTED}"]'),
        ("client.env.X=http://u:pw@h/", f"client.env.X=http://u:{REDACTED}@h/"),
        ("client.env API_TOKEN=ab1", f"client.env API_TOKEN={REDACTED}"),
        ("run.repeats=5", "run.repeats=5"),
        ("client.env.MAX_TOKENS=5", "client.env.MAX_TOKENS=5"),
        ('matrix."client.env.KEY"=["a1","b2"]', f'matrix."client.env.KEY"=["{REDACTED}","{REDACTED}"]'),
    ],
)
def test_an_override_is_told_without_its_secrets(override: str, expected: str) -> None:
    """However short they are."""
    assert Redaction().override(override) == expected


@pytest.mark.parametrize(
    ("text", "overrides"),
    [
        ('client.env.API_TOKEN = "ab1"\nclient.env.X = 1.5', []),
        ('client.env = ["API_TOKEN=ab1"]\nclient.command = ["x"]', []),
        ("", ['client.env {API_TOKEN="ab1"}']),
        ("", ['benchmark.name.x={API_TOKEN="ab1"}']),
        ('matrix = { "client.env.API_TOKEN" = ["ab1", "cd2"], "run.repeats" = ["x"] }', []),
        ('matrix = { "client.env.API_TOKEN" = "ab1" }', []),
        ('client.command = ["a", "--password", "ab1", 5]', []),
        ('inputs = [{ src = "ftp://u:ab1@h/x", path = "x" }]', []),
        ('metrics = [{ name = "x", pattern = "--password=ab1" }]', []),
    ],
)
def test_a_mistake_is_told_without_secrets(text: str, overrides: list[str]) -> None:
    """Short ones too, of all combinations, where they stand and where they are quoted."""
    base = 'spec_version = "1"\nbenchmark = { name = "x", strategy = "single-node" }\n'
    with pytest.raises(DescriptorError) as refusal:
        parse_sweep(base + text, FILE, overrides)
    assert [secret for secret in ("ab1", "cd2") if secret in refusal.value.message] == []


def test_a_secret_that_is_a_huge_number_is_one_too() -> None:
    """Python does not write it in decimal; nothing fails for that."""
    assert Redaction().toml(f"env.TOKEN = 0x{'f' * 5000}") == f'env.TOKEN = "{REDACTED}"'
    assert Redaction.of([{"env": {"TOKEN": 1234567890}}]).secrets == {"1234567890"}


def test_all_combinations_share_their_secrets(tmp_path: Path) -> None:
    """Each benchmark of a sweep knows those of the others, of the file and of what overrides replaced."""
    path = tmp_path / "x.toml"
    path.write_text(full_of_secrets("full", matrix=True))
    found = load_all(path, [f"client.env.PASS={MARK}_override"])
    assert len(found) == 2
    for loaded in found:
        assert {f"{MARK}_first", f"{MARK}_second", f"{MARK}_PASS", f"{MARK}_override"} <= loaded.redaction.secrets
        assert not {KEPT, "8192", "sh", "full"} & loaded.redaction.secrets


PIECES = [
    lambda n: "A" * n,
    lambda n: "a-" * (n // 2),
    lambda n: "a=" * (n // 2),
    lambda n: "cookie:" * (n // 7),
    lambda n: 'token="' * (n // 7),
    lambda n: "token='\"" * (n // 8),
    lambda n: "a" + " " * n,
    lambda n: "http://" * (n // 7),
    lambda n: "@tcp(" * (n // 5),
    lambda n: "?sig=" * (n // 5),
    lambda n: "-----BEGIN PRIVATE KEY-----" * (n // 27),
    lambda n: "--token x " * (n // 10),
    lambda n: "'\"" * (n // 2),
]


@pytest.mark.long
@pytest.mark.parametrize("piece", PIECES)
def test_hiding_takes_a_time_that_grows_with_the_text(piece: Any) -> None:
    """Four times the text takes less than ten times the time; of a quadratic rule it would be sixteen."""
    import time

    def seconds(length: int) -> float:
        text = f"command = {json.dumps(['x', piece(length)])}\n"
        best = float("inf")
        for _ in range(3):
            begun = time.process_time()
            Redaction.of([tomllib.loads(text)]).toml(text)
            best = min(best, time.process_time() - begun)
        return best

    assert seconds(40_000) < 10 * seconds(10_000) + 0.05


MOMENTS = st.datetimes().map(lambda moment: moment.replace(fold=0))
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
SECRET_VALUES = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), min_size=4, max_size=20).map(
    lambda text: f"Zq9{text}9qZ"
)


@given(SECRET_VALUES, st.dictionaries(WORDS, st.one_of(WORDS, st.integers(), st.booleans(), st.lists(WORDS))))
def test_a_marked_secret_never_comes_out(secret: str, others: dict[str, Any]) -> None:
    """Of a variable, a word of a command, a combination of a matrix, a label; and the text is TOML as before."""
    document = {
        "client": {
            "command": ["x", "--password", secret],
            "env": {"API_TOKEN": secret},
            "files": {"a": f"x {secret} y"},
        },
        "matrix": {"client.env.PASS": [secret, "b"], "run.repeats": [1, 2]},
        "others": others,
    }
    text = dump(document)
    hidden = Redaction.of([document])

    assert tomllib.loads(text) == document
    assert secret not in str(list(tomllib.loads(hidden.toml(text)).values()))
    assert secret not in hidden.known(f"a {secret} b {json.dumps(secret)} {secret!r}")
    assert secret not in json.dumps(hidden.document(document))


SCALARS = st.one_of(WORDS, st.integers(), st.floats(), st.booleans(), MOMENTS)


@given(st.dictionaries(WORDS, st.one_of(SCALARS, st.lists(SCALARS, max_size=3)), max_size=4))
def test_a_document_is_written_as_toml_that_says_the_same(document: dict[str, Any]) -> None:
    """Any text, number, moment or list of them."""
    assert repr(tomllib.loads(dump(document))) == repr(document)


@given(st.text(max_size=200))
def test_no_text_makes_hiding_fail(text: str) -> None:
    """Whatever a file or a program says; what is found lies within it, in order."""
    spans = find_in_line(text)
    places = [place for span in spans for place in span]
    assert places == sorted(places)
    assert all(0 <= place <= len(text) for place in places)
    Redaction().override(text)
    list(find_in_command(text.split()))


def test_a_benchmark_knows_its_names(single_node: str) -> None:
    """What a step is called is never hidden, even if it is somebody's password."""
    loaded = parse(single_node, FILE, ["client.env.TOKEN=client", "client.env.KEY=alone-1"])
    assert loaded.redaction.known("client of alone-1") == f"client of {REDACTED}"


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (f"client.env.TOKEN={REDACTED}", "client.env.TOKEN"),
        (f'client.command=["a", "--token=x{REDACTED}"]', "client.command[1]"),
        (f'matrix."client.env.TOKEN"=["a", "{REDACTED}"]', "matrix.client.env.TOKEN[1]"),
    ],
)
def test_a_benchmark_whose_secrets_were_taken_out_is_not_measured(single_node: str, change: str, key: str) -> None:
    """What a run's folder keeps would measure another thing: it is refused, and where."""
    with pytest.raises(DescriptorError, match=re.escape(f"{key}: a secret was taken out here")):
        parse_sweep(single_node, FILE, [change])


def test_a_secret_that_was_taken_out_can_be_set_again(single_node: str) -> None:
    """The benchmark of a run's folder runs again with `--set`."""
    text = f"{single_node}\n[client.env]\nTOKEN = '{{}}'"
    kept = parse(text.format(REDACTED), FILE, ["client.env.TOKEN=swordfish"])
    assert kept.benchmark == parse(text.format("swordfish"), FILE).benchmark


def test_what_survived_a_first_look_is_hidden_too(tmp_path: Path) -> None:
    """A short signature, a shell's words among a command's, a secret whose first half was looked at before."""
    assert REDACTED in Redaction().text("http://h/x?X-Amz-Signature=ab1")
    hidden = Redaction().document({"command": ["sh", "-c", "redis-cli -a q7zx ping"], "name": "PGPASSWORD=x y"})
    assert hidden == {"command": ["sh", "-c", f"redis-cli -a {REDACTED} ping"], "name": "PGPASSWORD=x y"}
    path = tmp_path / "log"
    path.write_bytes(b"swordf")
    known = Redaction(frozenset({"swordfish-1"}))
    seen = known.mask(path)
    path.write_bytes(b"swordfish-1")
    known.mask(path, seen)
    assert path.read_bytes() == b"*" * 11
