"""What a run was judged by, and what came of it. Pure."""

from __future__ import annotations

import typing
from typing import Annotated

from msgspec import Meta, Struct

from bench.schemas.values import Count, Figure, Name, Version


class GateEntry(Struct, frozen=True, kw_only=True):
    """One gate and what it says of the run. `shown` are the numbers as the report prints them."""

    gate: str
    name: str
    variant: str
    verdict: typing.Literal["PASS", "FAIL", "INCONCLUSIVE", "NO_DATA"]
    sentence: str
    measured: Figure
    above: Figure = None
    interval: list[Figure] | None
    threshold: Figure
    needed_requests: Count | None
    shown: dict[typing.Literal["measured", "interval", "threshold"], str]


class Gates(Struct, frozen=True, kw_only=True):
    """`gates.json`: what the run was judged by last, and what came of it. `baseline` is empty without one."""

    schema_version: Version
    run_id: Name
    baseline: str
    results: Annotated[list[GateEntry], Meta(min_length=1)]
