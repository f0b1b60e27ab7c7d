"""A benchmark: the TOML file that says what to measure."""

from windtunnel.benchmark.load import Loaded, load, load_all, parse, parse_all, require_single
from windtunnel.benchmark.matrix import describe_values
from windtunnel.benchmark.model import CLIENT, GANG, Benchmark, Metric, json_schema
from windtunnel.benchmark.programs import Gang, Live, Placed, Probe, Program, Server

__all__ = [
    "CLIENT",
    "GANG",
    "Benchmark",
    "Gang",
    "Live",
    "Loaded",
    "Metric",
    "Placed",
    "Probe",
    "Program",
    "Server",
    "describe_values",
    "json_schema",
    "load",
    "load_all",
    "parse",
    "parse_all",
    "require_single",
]
