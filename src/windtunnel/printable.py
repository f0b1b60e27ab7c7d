"""Text of other programs as it may be shown: without what would act on a terminal or a page."""

from __future__ import annotations

import re

# ECMA-48: control sequences, control strings (ended by BEL or ST), other escapes; as ESC and as one character.
_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[PX\]^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
# All of C0 but tab and line feed, DEL, all of C1, and what turns the direction of writing around.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Return a text without control characters and escape sequences; tabs and line feeds stay."""
    return _CONTROLS.sub("", _SEQUENCES.sub("", text))
