"""Secrets among the words of a command: what follows ``--password``, and what some programs take by short options."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from windtunnel.secrets.addresses import Span, is_key_file, is_reference
from windtunnel.secrets.names import is_method, is_plainly_secret, is_secret, words
from windtunnel.secrets.texts import find_in_text, merged

_WORD = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|[^\s\"';|&]+")
_SIGNS = re.compile(r"[\[\](){},:=+]+")
"""What stands between the words of a command in a program's text."""
_OPTION = re.compile(r"--?[A-Za-z][\w.-]*")
_PASSWORDS = {
    **dict.fromkeys(("redis-cli", "valkey-cli"), frozenset({"-a", "AUTH"})),
    **dict.fromkeys(("redis-benchmark", "valkey-benchmark"), frozenset({"-a"})),
    **dict.fromkeys(("mosquitto_pub", "mosquitto_sub", "mosquitto_rr"), frozenset({"-P"})),
    "memtier_benchmark": frozenset({"-a", "--authenticate"}),
    "sshpass": frozenset({"-p"}),
    "cqlsh": frozenset({"-p"}),
    "mongosh": frozenset({"-p"}),
    "sqlcmd": frozenset({"-P"}),
}
"""Options of programs whose value is a password: the next word, or the rest of theirs."""
_USERS = {
    "curl": frozenset({"-u", "-U", "--user", "--proxy-user"}),
    "ab": frozenset({"-A", "-P"}),
    "etcdctl": frozenset({"--user"}),
    "hey": frozenset({"-a"}),
    "oha": frozenset({"-a"}),
}
"""Options of programs whose value is ``user:password``."""
_MYSQL = re.compile(r"(mysql|mariadb)\w*(-\w+)?")
"""Programs that take a password as ``-pPASSWORD``."""
_LAST = frozenset({"pass", "auth", "authorization", "cookie", "pat"})


def find_in_command(command: Sequence[str]) -> Iterator[tuple[int, Span]]:
    """Yield the number of each word that has secrets, and where they stand in it."""
    for number, start in _operands(command):
        yield number, (start, len(command[number]))
    for number, word in enumerate(command):
        for span in find_in_text(word):
            yield number, span
        if " " in word:
            for span in _in_line(word):
                yield number, span


def find_in_line(text: str) -> list[Span]:
    """Return where secrets stand in a text that may have command lines, such as a shell script."""
    return merged([*find_in_text(text), *_in_line(text)])


def has_secret(name: str, value: str) -> bool:
    """Tell whether a variable holds a secret: its name says so, or its value has one, such as an address's password."""
    is_named = is_secret(name) and not is_method(name, value)
    return bool(value) and (is_named or bool(find_in_line(value)))


def _in_line(text: str) -> Iterator[Span]:
    matches = [match for match in _WORD.finditer(text) if not _SIGNS.fullmatch(match[0])]
    bare = [match[0].strip("\"'") for match in matches]
    for number, start in _operands(bare):
        quoted = matches[number][0] != bare[number]
        begin = matches[number].start() + start + quoted
        yield begin, matches[number].end() - quoted


def _operands(command: Sequence[str]) -> Iterator[Span]:
    """Yield the number of each word that is a secret by the words before it, and where in it the secret begins."""
    program = ""
    for number, word in enumerate(command):
        name = word.rpartition("/")[2]
        if name in _PASSWORDS or name in _USERS or _MYSQL.fullmatch(name):
            program = name
        if _MYSQL.fullmatch(program) and re.match(r"-p[^\s]", word) and not is_reference(word[2:]):
            yield number, 2
        if number == 0:
            continue
        if start := _in_option(program, word):
            yield number, start
        option = command[number - 1].removesuffix("=")
        if not word or word.startswith("-") or is_reference(word) or is_key_file(option, word):
            continue
        if is_method(option, word):
            continue
        if option in _PASSWORDS.get(program, ()) or _is_secret_option(option):
            yield number, 0
        elif _is_user_option(program, option) and ":" in word and not is_reference(word.partition(":")[2]):
            yield number, word.index(":") + 1


def _in_option(program: str, word: str) -> int:
    """Return where in an option's word a secret begins that is its value, as in ``-uNAME:PASSWORD``; 0 if none does."""
    options = _PASSWORDS.get(program) or _USERS.get(program) or ()
    option = next((each for each in options if each.startswith("-") and word.startswith(each)), "")
    rest = word.removeprefix(option)
    if not option or (option.startswith("--") and not rest.startswith("=")):
        return 0
    start = len(option) + rest.startswith("=")
    if program in _USERS:
        start = word.find(":", start) + 1
    return start if word[start:] and not is_reference(word[start:]) else 0


def _is_user_option(program: str, option: str) -> bool:
    # curl takes several short options in one word.
    return option in _USERS.get(program, ()) or (program == "curl" and bool(re.fullmatch(r"-[A-Za-z]+[uU]", option)))


def _is_secret_option(word: str) -> bool:
    if not _OPTION.fullmatch(word):
        return False
    name = word.lstrip("-")
    return is_plainly_secret(name) or (is_secret(name) and words(name)[-1] in _LAST)
