"""What the files of this tool must look like to be believed. Edge: reads them.

Each file that is read back has a type here, from which `docs/schemas/*.json` is made. Keys that are not known are
accepted, for a newer version may add some; a missing key, a value of another type and a newer `schema_version` are
refused in one line.

run_files   what a run writes while it goes on          figures    what is made of it: summary, baseline
gates       what it was judged by                       settings   what people write: bench.toml, config.json
plan        the plan in a manifest                      result     what --json says of a run
values      the numbers and names all of them are made of
decoding    reading a file against its type             published  the types as JSON Schema
"""

from bench.failure_sample import FailureSample
from bench.schemas.decoding import NewerVersion, decode, decode_as, fault_of, load, load_lines
from bench.schemas.figures import Baseline, RunSet, SetSummary, Summary
from bench.schemas.gates import Gates
from bench.schemas.history import HistoryEntry
from bench.schemas.plan import plan_fault
from bench.schemas.published import PUBLISHED, json_schema
from bench.schemas.result import Result
from bench.schemas.run_files import Flight, HealthTick, Manifest
from bench.schemas.settings import Settings, WorkspaceConfig
from bench.schemas.values import VERSION

__all__ = [
    "PUBLISHED",
    "VERSION",
    "Baseline",
    "FailureSample",
    "Flight",
    "Gates",
    "HealthTick",
    "HistoryEntry",
    "Manifest",
    "NewerVersion",
    "Result",
    "RunSet",
    "SetSummary",
    "Settings",
    "Summary",
    "WorkspaceConfig",
    "decode",
    "decode_as",
    "fault_of",
    "json_schema",
    "load",
    "load_lines",
    "plan_fault",
]
