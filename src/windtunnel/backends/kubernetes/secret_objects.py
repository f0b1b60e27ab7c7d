"""What of a step may not stand in its pod's description, which many may read: it goes through a Secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from windtunnel.plan import Plan, Program
from windtunnel.secrets import Redaction, find_in_command, find_in_line, has_secret


@dataclass(frozen=True)
class Hidden:
    """What of a step is secret.

    Attributes:
        variables: The names of variables, in the order of their keys.
        words: The numbers of words of its command.
        has_files: Whether one of its files has a secret in it; all of them are hidden then.
    """

    variables: tuple[str, ...] = ()
    words: tuple[int, ...] = ()
    has_files: bool = False

    def __bool__(self) -> bool:
        return bool(self.variables or self.words or self.has_files)

    def data(self, env: Mapping[str, str], argv: Sequence[str], files: Mapping[str, str]) -> dict[str, str]:
        """Return what the step's Secret holds.

        Args:
            env: Its variables.
            argv: Its command.
            files: Its files by their keys.
        """
        variables = {_variable_key(number): env[name] for number, name in enumerate(self.variables)}
        words = {_word_key(number): argv[number] for number in self.words}
        return variables | words | (dict(files) if self.has_files else {})

    def environment(self, env: Mapping[str, str], secret: str) -> list[dict[str, Any]]:
        """Return a container's variables; those of hidden words come after the step's own."""
        keys = {name: _variable_key(number) for number, name in enumerate(self.variables)}
        shown = [
            _reference(name, secret, keys[name]) if name in keys else {"name": name, "value": escape(value)}
            for name, value in env.items()
        ]
        return shown + [_reference(_word_variable(number), secret, _word_key(number)) for number in self.words]

    def command(self, argv: Sequence[str]) -> list[str]:
        """Return a container's command, in which Kubernetes replaces what is hidden."""
        return [
            f"$({_word_variable(number)})" if number in self.words else escape(word) for number, word in enumerate(argv)
        ]

    def volume(self, name: str, items: Sequence[Mapping[str, str]] | None = None) -> dict[str, Any]:
        """Return the volume of the step's files: its Secret, or its ConfigMap of the same name."""
        kind, key = ("secret", "secretName") if self.has_files else ("configMap", "name")
        return {kind: {key: name} | ({"items": list(items)} if items else {})}


@dataclass(frozen=True)
class Secrecy:
    """What a plan keeps secret. It follows from the plan alone: the planner of a pod finds what its driver finds.

    Attributes:
        redaction: What is secret.
        is_ahead: Whether pods are described ahead of the run, before the ``PATH`` of their steps' Python environments
            is known: it goes through the Secret too.
    """

    redaction: Redaction
    is_ahead: bool = False

    @classmethod
    def of(cls, plan: Plan, *, is_ahead: bool = False) -> Secrecy:
        """Return what a plan keeps secret, and what is not known of it yet if pods are described ahead of the run."""
        return cls(Redaction.of([plan.to_json()]), is_ahead)

    def holds(self, text: str) -> bool:
        """Tell whether a text has a secret in it, of this plan or by what it looks like."""
        return bool(find_in_line(text)) or self.redaction.known(text) != text

    def hidden(self, program: Program, *, has_keys: bool = False) -> Hidden:
        """Return what of a program is secret, whatever its names are replaced by.

        Args:
            program: The program.
            has_keys: Whether there are keys among its files. What it runs is there too, and its command another.
        """
        known = self.redaction.known
        variables = [name for name, text in program.env.items() if has_secret(name, text) or known(text) != text]
        if self.is_ahead and program.requirements and "PATH" not in program.env:
            variables.append("PATH")
        words = {number for number, _span in find_in_command(program.command)}
        words |= {number for number, word in enumerate(program.command) if known(word) != word}
        files = dict(program.files)
        has_files = self.redaction.document(files, ("files",)) != files
        if has_keys:
            return Hidden(tuple(variables), has_files=True)
        return Hidden(tuple(variables), tuple(sorted(words)), has_files)


def escape(text: str) -> str:
    """Return a text as Kubernetes gives it on unchanged: it takes two dollars for one, and ``$(NAME)`` for a name."""
    return text.replace("$", "$$")


def _reference(variable: str, secret: str, key: str) -> dict[str, Any]:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def _word_variable(number: int) -> str:
    return f"WINDTUNNEL_WORD_{number}"


def _variable_key(number: int) -> str:
    return f"variable-{number}"


def _word_key(number: int) -> str:
    return f"word-{number}"
