"""A benchmark: the TOML file that says what to measure."""

from windtunnel.benchmark.load import Loaded, load, load_all, only_one, parse, parse_all
from windtunnel.benchmark.model import CLIENT, Benchmark, Metric, Probe, Program, Server, json_schema

__all__ = [
    "CLIENT",
    "Benchmark",
    "Loaded",
    "Metric",
    "Probe",
    "Program",
    "Server",
    "json_schema",
    "load",
    "load_all",
    "only_one",
    "parse",
    "parse_all",
]
