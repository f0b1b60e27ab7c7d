"""A benchmark full of secrets, each of which is marked, so that it can be looked for in all that a run leaves."""

from __future__ import annotations

import json
from pathlib import Path

MARK = "Zpw"
"""How each secret begins, before an underscore; nothing else of a run has these, no image in base64 either."""
SHORT = "q7-zx"
"""A secret that is too short to begin so."""
NAMES = [
    "PGPASSWORD",
    "MYSQL_PWD",
    "REDISCLI_AUTH",
    "DB_PASS",
    "PASS",
    "PASSPHRASE",
    "GITHUB_PAT",
    "SSH_KEY",
    "AUTHORIZATION",
    "BASIC_AUTH",
    "COOKIE",
    "ENCRYPTION_KEY",
    "SIGNING_KEY",
    "KEY",
    "PWD_DB",
    "AWS_SESSION_TOKEN",
    "API_KEY",
    "AWS_SECRET_ACCESS_KEY",
    "DSN",
    "apiToken",
]
"""Variables whose names say that they are secret."""
KEPT = "meta-llama/Llama-3-8B"
"""What is no secret, although it is in variables called TOKENIZER, MAX_TOKENS and PUBLIC_KEY: it has to stay."""
_ADDRESSES = {
    "DATABASE_URL": f"postgres://somebody:{MARK}_url@database/db",
    "GO_ADDRESS": f"root:{MARK}_go@tcp(database:3306)/db",
    "SIGNED": f"https://bucket/x?X-Amz-Credential={MARK}_id&X-Amz-Date=20260101&X-Amz-Signature={MARK}_signature_0123",
    "SHARED": f"https://account/x?sv=2024&se=2026&sig={MARK}_sas",
    "SERVICE": f"https://service/x?user=me&access_token={MARK}_access",
}
_WORDS = (
    "--password",
    f"{MARK}_operand",
    f"--api-key={MARK}_option",
    "-H",
    f"Authorization: Bearer {MARK}_bearer",
    f"X-Api-Key: {MARK}_header",
    f"PGPASSWORD={MARK}_inline psql postgres://me:{MARK}_inner@database/db",
    "redis-cli",
    "-a",
    f"{MARK}_short_option",
)
_FILE = f"[login]\npassword = {MARK}_file\n"
_SCRIPT = """for word in "$@"; do echo "$word"; done
cat login.ini
cp login.ini "$WINDTUNNEL_OUT/"
echo rate=42
echo '{"metric": "told", "value": 1, "labels": {"by": "'$apiToken'"}}' >>"$WINDTUNNEL_METRICS"
echo '{"metric": "told", "value": "'$apiToken'"}' >>"$WINDTUNNEL_METRICS"
echo "last words: $PASS $SHORT_KEY" >&2
env | sort
exit $END
"""


def full_of_secrets(name: str, *, image: str = "", end: int = 0, matrix: bool = False) -> str:
    """Return a benchmark of one client that has secrets of every kind and prints them all.

    Args:
        name: What it is called.
        image: The client's image.
        end: The client's exit status.
        matrix: Whether a matrix has secrets too.
    """
    env = {each: f"{MARK}_{each}" for each in NAMES} | _ADDRESSES | {"SHORT_KEY": SHORT, "END": str(end)}
    env |= {"TOKENIZER": KEPT, "MAX_TOKENS": "8192", "PUBLIC_KEY": KEPT}
    script = _SCRIPT.replace("$", "$$")
    command = ["sh", "-c", script, "sh", "--model", KEPT, *_WORDS]
    rows = f'[matrix]\n"client.env.MATRIX_TOKEN" = ["{MARK}_first", "{MARK}_second"]\n' if matrix else ""
    return f"""# token = "{MARK}_comment"
spec_version = "1"
[benchmark]
name = "{name}"
strategy = "single-node"
timeout = "2m"
[client]
{f'image = "{image}"' if image else ""}
command = {json.dumps(command)}
[client.env]
{"".join(f"{key} = {json.dumps(value)}{chr(10)}" for key, value in env.items())}
[client.files]
"login.ini" = {json.dumps(_FILE)}
[[metrics]]
name = "rate"
pattern = 'rate=([0-9]+)'
[[metrics]]
name = "told"
{rows}"""


def leaks(text: str) -> list[str]:
    """Return the lines of a text that have a secret."""
    return [line[:300] for line in text.splitlines() if f"{MARK}_" in line or SHORT in line]


def leaks_below(folder: Path) -> list[str]:
    """Return the files below a folder that have a secret, each with the line."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return [f"{path}: {line}" for path in files for line in leaks(path.read_bytes().decode("latin-1"))]
