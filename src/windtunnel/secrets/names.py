"""Which names say that their value is a secret: a name is judged by its words, not by its letters."""

from __future__ import annotations

import re
from functools import lru_cache


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_ALWAYS = _listed(
    "secret secrets token password passwords passwd passphrase credential credentials creds pw pwd jwt bearer"
)
"""Words of secrets wherever they stand in a name."""
_LAST = _listed("key keys pass auth authorization cookie cookies pat dsn")
"""Words of secrets where a name ends with them: ``SSH_KEY`` is one, ``KEY_COUNT`` is none."""
_GLUED = re.compile(
    r"(password|passwd|passphrase|secret|token|credentials?|pwd|(api|access|secret|private|account)keys?"
    r"|(user|db|key|store|ssh|ftp|require|my)pass|masterauth)$"
)
"""Ends of words that people write without a gap, such as ``PGPASSWORD`` and ``apikey``."""
_PAIRS = frozenset({("auth", "string"), ("auth", "header")})
"""Two words that end a secret's name together, as in ``PREFECT_API_AUTH_STRING``."""
_KEYS = _listed("access account api auth encryption master private secret sign signing ssh")
"""Words that make a key a secret wherever both stand, as in ``ACCESS_KEY_ID``."""
_HOLDERS = _listed("access api auth bearer refresh session")
"""Words that make ``tokens`` those that let somebody in; else they are what a model reads and writes."""
_MEASURES = _listed(
    "bits bytes count counts dir directory domain enabled endpoint expires expiry file folder format host index"
    " length len lifetime limit limits method mode name names path pattern per policy port prefix rate ratio required"
    " seconds size sock socket timeout ttl type types uri url user username version"
)
"""Words that make a name one of something about a secret, and not of the secret itself."""
_FLAGS = _listed("allow disable enable has is max min need no num require skip total use with")
_NO_KEYS = _listed("cache foreign group hash hot index key partition primary public pub range routing row shard sort")
_NO_PASSES = _listed("first second third last single one two three multi low high band each per")
_METHODS = _listed("basic bearer digest false md5 negotiate no none off on scram trust true yes")
"""How somebody is let in, which is no secret."""
_CURRENT_FOLDERS = frozenset({"PWD", "OLDPWD"})
"""What POSIX shells call the folder that they are in, and the one before."""


@lru_cache(maxsize=4096)
def is_secret(name: str) -> bool:
    """Tell whether a variable's name says that its value is secret."""
    parts = words(name)
    before, last = ["", *parts][-2:] if parts else ("", "")
    if is_plainly_secret(name):
        return True
    if last not in _LAST or parts[0] in _FLAGS or (last in {"key", "keys"} and before in _NO_KEYS):
        return False
    return not (last == "pass" and before in _NO_PASSES)


@lru_cache(maxsize=4096)
def is_plainly_secret(name: str) -> bool:
    """Tell whether a name says so wherever it stands: ``key`` and ``auth`` are also words of ordinary texts."""
    parts = words(name)
    if name in _CURRENT_FOLDERS or not parts or parts[0] in _FLAGS:
        return False
    for index, word in enumerate(parts):
        is_key = word in {"key", "keys"} and index > 0 and parts[index - 1] in _KEYS
        if (is_key or word in _ALWAYS or _GLUED.search(word)) and not _MEASURES & set(parts[index + 1 :]):
            return True
    if tuple(parts[-2:]) in _PAIRS:
        return True
    return parts[-1] == "tokens" and bool(_HOLDERS & set(parts))


def is_method(name: str, value: object) -> bool:
    """Tell whether a name such as ``AUTH`` has a value that only says how somebody is let in."""
    return isinstance(value, str) and value.lower() in _METHODS and words(name)[-1:] == ["auth"]


def words(name: str) -> list[str]:
    """Return the words of a name, in lower case: it is parted at what is no letter, and in camelCase."""
    return [word.lower() for word in _WORD.findall(name)]
