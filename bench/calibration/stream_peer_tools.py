"""One adapter a tool that measures streams: how it is asked, and how its own export is read. Edge: writes its files.

Each is asked as its guide says: chats of 64 tokens at Poisson arrivals after a warm-up, figures from its JSON. Prompts
come from a file, and the tokenizer that aiperf insists on is one of words: nothing is downloaded. A secret reaches a
tool through its environment.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

WARM_UP_S = 2.0
TOKENS = 64
PATH = "/v1/chat/completions"
_PROMPT = "How true is it?"
_MODEL = "peer"
_MOST_OF_RATE = 2
"""Prompts there are, over those that are due: a Poisson process may have more than its mean."""

_Export = TypeVar("_Export")

Pair = tuple[float, float]
"""p50 and p99 in ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chats:
    """What a tool is to do: `base` is the target's address without a path, `rate` is 1/s, `folder` is its own."""

    base: str
    seconds: float
    rate: int
    folder: Path

    def file(self, name: str, value: Any) -> str:
        """Write a JSON file of the tool's; its path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value), encoding="utf-8")
        return str(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a tool says of its run. `gap` is what it calls the time between tokens, whatever that is the mean of."""

    requests: int
    achieved: float
    first: Pair
    gap: Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTool:
    """`command` makes its files and gives its words, the program's path first; `read` takes its export.

    `read` raises OSError or ValueError for what cannot be read, and for a run in which nothing went well.
    """

    command: Callable[[str, Chats], list[str]]
    environment: Callable[[str], Mapping[str, str]]
    read: Callable[[Chats], Said]


def _decoded(path: Path, kind: type[_Export]) -> _Export:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.MsgspecError as exc:
        raise ValueError(f"its export is not as expected: {exc}") from exc


class _Stat(Struct):
    p50: float
    p99: float

    @property
    def pair(self) -> Pair:
        return self.p50, self.p99


class _Mean(Struct):
    avg: float


class _AiperfExport(Struct):
    time_to_first_token: _Stat
    inter_token_latency: _Stat
    request_count: _Mean
    request_throughput: _Mean


_WORDS: dict[str, Any] = {
    "version": "1.0",
    **dict.fromkeys(("truncation", "padding", "normalizer", "post_processor", "decoder")),
    "added_tokens": [],
    "pre_tokenizer": {"type": "Whitespace"},
    "model": {"type": "WordLevel", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]"},
}


def _aiperf_command(path: str, chats: Chats) -> list[str]:
    chats.file("words/tokenizer.json", _WORDS)
    chats.file("words/tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]"})
    load = {"type": "poisson", "rate": chats.rate}
    benchmark = {
        "model": _MODEL,
        "endpoint": {
            "url": chats.base + PATH,
            "type": "chat",
            "streaming": True,
            "api_key": "${SECRET}",
            "use_server_token_count": True,
        },
        "tokenizer": {"name": str(chats.folder / "words")},
        "dataset": {
            "type": "file",
            "format": "single_turn",
            "records": [{"text": _PROMPT, "output_length": TOKENS}],
        },
        "warmup": {**load, "duration": WARM_UP_S},
        "profiling": {**load, "duration": chats.seconds},
        "artifacts": {"dir": str(chats.folder / "out"), "summary": ["json"]},
    }
    config = chats.file("aiperf.yaml", {"schemaVersion": "2.0", "benchmark": benchmark})  # JSON is YAML
    return [path, "profile", "-f", config, "--ui", "none"]


def _read_aiperf(chats: Chats) -> Said:
    export = _decoded(chats.folder / "out" / "profile_export_aiperf.json", _AiperfExport)
    return Said(
        requests=round(export.request_count.avg),
        achieved=export.request_throughput.avg,
        first=export.time_to_first_token.pair,
        gap=export.inter_token_latency.pair,
    )


class _Percentiles(Struct):
    mean: float
    percentiles: _Stat


class _Successful(Struct):
    successful: _Percentiles


class _Totals(Struct):
    successful: int


class _GuidellmMetrics(Struct):
    request_totals: _Totals
    requests_per_second: _Successful
    time_to_first_token_ms: _Successful
    inter_token_latency_ms: _Successful


class _GuidellmBenchmark(Struct):
    metrics: _GuidellmMetrics


class _GuidellmExport(Struct):
    benchmarks: tuple[_GuidellmBenchmark]


def _guidellm_command(path: str, chats: Chats) -> list[str]:
    seconds = chats.seconds + WARM_UP_S
    prompts = chats.folder / "prompts.jsonl"
    number = round(_MOST_OF_RATE * chats.rate * seconds)
    prompts.write_text("".join(json.dumps({"prompt": f"{_PROMPT} {n}"}) + "\n" for n in range(number)), "utf-8")
    spec = {
        "backend": {
            "kind": "openai_http",
            "target": chats.base,
            "model": _MODEL,
            "validate_backend": False,
            "max_tokens": TOKENS,
        },
        "profile": {"kind": "poisson", "rate": [chats.rate], "warmup": WARM_UP_S},
        "constraints": [{"kind": "max_duration", "seconds": seconds}],
        "data": [{"kind": "json_file", "path": str(prompts)}],
        "outputs": [{"kind": "json", "path": str(chats.folder / "guidellm.json")}],
    }
    return [path, "run", "-c", chats.file("scenario.json", {"spec": spec}), "--disable-console"]


def _read_guidellm(chats: Chats) -> Said:
    (benchmark,) = _decoded(chats.folder / "guidellm.json", _GuidellmExport).benchmarks
    metrics = benchmark.metrics
    if not metrics.request_totals.successful:
        raise ValueError("no request went well")
    return Said(
        requests=metrics.request_totals.successful,
        achieved=metrics.requests_per_second.successful.mean,
        first=metrics.time_to_first_token_ms.successful.percentiles.pair,
        gap=metrics.inter_token_latency_ms.successful.percentiles.pair,
    )


STREAM_TOOLS: Mapping[str, StreamTool] = {
    "aiperf": StreamTool(command=_aiperf_command, environment=lambda secret: {"SECRET": secret}, read=_read_aiperf),
    "guidellm": StreamTool(
        command=_guidellm_command,
        environment=lambda secret: {"GUIDELLM__SPEC__BACKEND__API_KEY": secret, "HF_HUB_OFFLINE": "1"},
        read=_read_guidellm,
    ),
}
"""By the name of the program, which is looked for on PATH."""
