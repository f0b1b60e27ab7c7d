"""Requirements: which interpreter they are for, and what an interpreter without pip is told."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from windtunnel.backends import install_packages, pip
from windtunnel.backends.kubernetes.pod import standby
from windtunnel.plan import Program


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        (("python3", "x.py"), "python3"),
        (("/opt/bin/python3.12", "x.py"), "/opt/bin/python3.12"),
        (("python", "x.py"), "python"),
        (("locust", "--headless"), "python3"),
        (("python3-config",), "python3"),
    ],
)
def test_requirements_are_for_the_commands_interpreter(command: tuple[str, ...], wanted: str) -> None:
    """A command that is none gets python3's."""
    assert pip.interpreter(Program(command=command)) == wanted


@pytest.mark.parametrize(
    ("command", "wanted"),
    [(["/usr/bin/python3", "x.py"], ["/e/bin/python", "x.py"]), (["locust", "-f", "x"], ["locust", "-f", "x"])],
)
def test_a_command_gets_its_environments_interpreter(command: list[str], wanted: list[str]) -> None:
    """Also where it names another one by its path."""
    assert pip.with_environment(command, PurePosixPath("/e")) == wanted


class Unannotated(ast.NodeTransformer):
    """Takes annotations away, which are not evaluated."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        """Take a parameter's."""
        return ast.arg(node.arg)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Take a result's."""
        node.returns = None
        return self.generic_visit(node)


def test_what_installs_packages_is_written_for_python_3_8() -> None:
    """It is run by the image's Python: no newer syntax, and no ``|`` of dicts, which came with 3.9."""
    tree = Unannotated().visit(ast.parse(pip.SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 8)))

    newer = [node for node in ast.walk(tree) if isinstance(node, (ast.BinOp, ast.AugAssign))]
    assert [node.lineno for node in newer if isinstance(node.op, ast.BitOr)] == []


def test_an_interpreter_without_pip_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither its own nor ensurepip's is there: the environment is not whole, and the last line tells why."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setattr(subprocess, "run", lambda argv, **_options: subprocess.CompletedProcess(argv, 1))
    monkeypatch.setattr(sys, "argv", ["install_packages.py", str(tmp_path / "e"), "alone", "speed"])

    assert install_packages.main() == 1
    assert capsys.readouterr().out.splitlines()[-1] == install_packages.NO_PIP
    assert not (tmp_path / "e" / "packages.json").exists()


def test_a_pod_that_stands_by_becomes_the_command_that_it_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once that is there, with its files, and without the variables that the waiting program itself needs."""
    command = {"argv": ["python3", "install.py"], "env": {"PIP_PRE": "1"}, "files": {"install.py": "x"}}
    answers, became = [False, True], list[tuple[str, list[str], dict[str, str]]]()

    def fetch(_url: str, _token: str, target: Path) -> bool:
        target.write_text(json.dumps(command))
        return answers.pop(0)

    monkeypatch.setattr(standby, "WORK", tmp_path)
    monkeypatch.setattr(standby, "fetch", fetch)
    monkeypatch.setattr(standby, "arguments", lambda: ["http://hub/inputs/client.requirements", "token"])
    monkeypatch.setattr(os, "execvpe", lambda *words: became.append(words))
    monkeypatch.setenv("PYTHONPATH", "/opt/windtunnel-scripts")
    standby.main()

    ((program, argv, env),) = became
    assert (program, argv) == ("python3", command["argv"])
    assert (env["PATH"], env["PIP_PRE"], "PYTHONPATH" in env) == (os.environ["PATH"], "1", False)
    assert (tmp_path / "install.py").read_text() == "x"
    assert answers == []


def test_pips_own_configuration_is_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How an index is reached is; where packages go, and what is none of an installation's business, is not."""
    for name in ("PIP_FIND_LINKS", "PIP_CERT", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://a:b@index.example/simple\ntimeout = 7\n[install]\ntarget = /x\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.setenv("PIP_TIMEOUT", "9")
    monkeypatch.setenv("https_proxy", "http://localhost:3128")
    settings = pip.pip_settings()

    assert settings["PIP_INDEX_URL"] == "https://a:b@index.example/simple"
    assert settings["PIP_TIMEOUT"] == "9"
    assert "PIP_TARGET" not in settings
    assert pip.local_names(settings) == ["https_proxy"]
    assert not pip.local_names({"PIP_INDEX_URL": "https://localhost.example/simple"})
