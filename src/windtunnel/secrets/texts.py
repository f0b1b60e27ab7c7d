"""Secrets in texts that people write into a benchmark: commands, configuration files, scripts.

A secret is told by what it is given to: a name (``password = "x"``), a header (``Authorization: Bearer x``),
an option (``--token x``), an address. Everything here takes a time that grows with the text's length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from windtunnel.secrets.addresses import Span, find_in_addresses, is_key_file, is_reference, is_secret_parameter
from windtunnel.secrets.names import is_method, is_plainly_secret, is_secret, words

# A name is looked for from its beginning only: from each of its letters, a long word would take for ever.
_ASSIGNMENT = re.compile(
    r"(?<![\w.$-])(?P<name>-{0,2}[A-Za-z_][\w.-]{0,127})\\?[\"']?\]?(?P<sign>[ \t]{0,8}(?:=>|:=|[:=])(?!=)[ \t]{0,8})"
)
_QUOTED = re.compile(r"[fbruFBRU]{0,2}(?P<quote>\\?[\"'`])(?P<value>(?:(?!(?P=quote))[^\n])*)(?P=quote)")
_BARE = re.compile(r"[^\s\"'`,;&|)\]}>\\]+")
_QUOTE = re.compile(r"[fbruFBRU]{0,2}\\?[\"']")
_LINE = re.compile(r"[^\"'`\n]+")
_SCHEMES = re.compile(r"(?i)(?:basic|bearer|digest|token|apikey|negotiate)[ \t]+")
_BEARER = re.compile(r"(?i)\bbearer[ \t]+(?P<value>[\w.~+/-]{8,512}=*)")
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----(?P<value>[^-]+)")
_ELEMENT = re.compile(r"<(?P<name>[A-Za-z][\w.-]{0,63})>(?P<value>[^<\n]+)</")
_CLAUSE = re.compile(
    r"(?im)^[ \t]*(?:requirepass|masterauth)[ \t]+[\"']?(?P<line>[^\s#\"']+)"
    r"|\b(?:password|identified (?:with [\w']{1,64} )?by)[ \t]+'(?P<quoted>[^'\n]+)'"
    r"|^[ \t]*user[ \t]+\S{1,64}[ \t]+on[^\n]{0,200}?[ \t]>(?P<rule>\S+)"
    r"|\b(?:machine\s{1,8}\S{1,255}|default)\s{1,8}login\s{1,8}\S{1,128}\s{1,8}password\s{1,8}(?P<netrc>\S+)"
    r"|^[^\s:#]{1,255}:(?:\d{1,5}|\*):[^\s:]{1,63}:[^\s:]{1,63}:(?P<pgpass>[^\s:]+)$"
)
"""A line of a Redis server's configuration or of its users, what SQL says of a user, and files of passwords."""
_BEGIN = re.compile(r"(?:\A|\n)[ \t]*(?:export[ \t]+)?\Z")
_WHOLE_LINE = re.compile(r"(?P<value>(?:(?!&&)[^\s\"'`;|])+)[ \t]*(?:\n|\Z)")
"""A value that no shell would part."""
_EXPRESSION = re.compile(r"[A-Za-z_][\w.]*(?:[(\[].*[)\]])?")
"""A name of a programming language, or a call."""
_TYPES = frozenset(
    {"any", "bool", "bytes", "false", "float", "int", "none", "null", "number", "object", "str", "string", "true"}
)
"""What programs write after a name and a colon without meaning a secret."""
_HEADERS = frozenset({"authorization", "cookie"})


def find_in_text(text: str) -> list[Span]:
    """Return where secrets stand in a text, in order and apart from each other."""
    spans = [*find_in_addresses(text), *_in_assignments(text)]
    spans += [match.span("value") for match in _BEARER.finditer(text) if any(map(str.isdigit, match["value"]))]
    spans += [match.span("value") for match in _PRIVATE_KEY.finditer(text)]
    spans += [match.span("value") for match in _ELEMENT.finditer(text) if is_plainly_secret(match["name"])]
    spans += [match.span(match.lastgroup or 0) for match in _CLAUSE.finditer(text)]
    return merged([(start, end) for start, end in spans if not is_reference(text[start:end])])


def merged(spans: list[Span]) -> list[Span]:
    """Return spans in order, those that touch each other as one."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        elif start < end:
            joined.append((start, end))
    return joined


def _in_assignments(text: str) -> Iterator[Span]:
    end = 0
    for match in _ASSIGNMENT.finditer(text):
        # Names inside of a secret are not looked at: each could be read up to the end of the line again.
        if match.start() >= end and is_secret(match["name"].lstrip("-")) and (span := _assigned(text, match)):
            yield span
            end = span[1]


def _assigned(text: str, match: re.Match[str]) -> Span | None:
    """Return where the secret stands that a name is given, if it is one."""
    if words(match["name"])[-1] in _HEADERS and ":" in match["sign"]:
        return _in_header(text, match.end())
    if quoted := _QUOTED.match(text, match.end()):
        return quoted.span("value") if _is_assigned(match, quoted["value"]) else None
    if whole := _in_variable_line(text, match):
        return whole if _is_assigned(match, text[slice(*whole)]) else None
    bare = _BARE.match(text, match.end())
    return bare.span() if bare and _is_assigned(match, bare[0]) and _is_value(match, bare, text) else None


def _in_variable_line(text: str, match: re.Match[str]) -> Span | None:
    """Return where a variable's value stands in a line that has nothing else, such as one of an .env file."""
    is_variable = match["sign"] == "=" and match["name"] == match["name"].upper()
    if not is_variable or not _BEGIN.search(text, max(0, match.start() - 32), match.start()):
        return None
    line = _WHOLE_LINE.match(text, match.end())
    return line.span("value") if line and not _EXPRESSION.fullmatch(line["value"]) else None


def _in_header(text: str, start: int) -> Span | None:
    """Return where a header's value stands, up to the end of its line or of its quotes; the scheme is no secret."""
    quote = _QUOTE.match(text, start)
    start = quote.end() if quote else start
    scheme = _SCHEMES.match(text, start)
    value = _LINE.match(text, scheme.end() if scheme else start)
    if not value or is_reference(value[0]):
        return None
    return value.start(), value.start() + len(value[0].rstrip())


def _is_assigned(match: re.Match[str], value: str) -> bool:
    """Tell whether a name's value is a secret: names such as ``key`` need more than themselves."""
    name = match["name"]
    if is_reference(value) or not value.strip() or is_key_file(name, value) or is_method(name, value):
        return False
    if is_plainly_secret(name.lstrip("-")):
        return True
    is_variable = name == name.upper() and match["sign"] == "="
    is_option = name.startswith("-") and match["sign"] == "="
    is_password = words(name)[-1] == "pass"
    return is_password or ((is_variable or is_option) and is_secret_parameter(name, value))


def _is_value(match: re.Match[str], bare: re.Match[str], text: str) -> bool:
    """Tell whether a word without quotes is a value, and no expression of a programming language."""
    value, after = bare[0], text[bare.end() : bare.end() + 1]
    if value.lower() in _TYPES or any(sign in value for sign in "([{"):
        return False
    if re.fullmatch(r"[A-Za-z_][\w.]*", value):
        is_variable = is_secret(value.rpartition(".")[2]) and words(value)[-1] == words(match["name"])[-1]
        is_code = after == ")" or (after == "," and ":" in match["sign"] and not any(map(str.isdigit, value)))
        if is_variable or is_code:
            return False
    if match["sign"] in {"=", ":"} or "-" in match["name"]:
        return True
    # With gaps around the sign it is a line of a configuration file, and nothing follows.
    rest = text[bare.end() : bare.end() + 200].partition("\n")[0].strip()
    return not rest or rest.startswith(("#", ";", ",", "//", "|"))
