"""The protobuf that a Prometheus with native histograms asks for: read back by its own rules, and by that server."""

from __future__ import annotations

import http.client
import json
import math
import shutil
import struct
import subprocess
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.live.board import Board
from bench.live.prometheus import OPEN_METRICS, PLAIN, PROTOBUF, serve, wanted
from bench.live.prometheus_protobuf import CONTENT_TYPE, ZERO_THRESHOLD_S, exposition, native_buckets
from bench.live.prometheus_series import measured
from bench.live.rolling import Figures
from bench.live.sketch import Sketch
from bench.live.view import NOTHING, View
from tests.emulator.process import until
from tests.live.test_prometheus import free_port, text_of

ACCEPT = f"{PROTOBUF};proto=io.prometheus.client.MetricFamily;encoding=delimited"
SCRAPER = f"{ACCEPT},application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
"""As Debian's server sends it when it has native histograms."""
ODD = 'a "quoted"\\ \n\U0001f40d\tname'


class Master:
    """One whose view is set."""

    def __init__(self, view: View = NOTHING) -> None:
        self.board = Board()
        self.now = view

    def view(self) -> View:
        return self.now


def seen(times_ms: Any, *, variant: str = "key", tokens: int = 0) -> View:
    """A run whose answers took so long, streamed ones if there are tokens."""
    sketch = Sketch()
    sketch.add(np.array(times_ms) * 1e6)
    pairs = sketch.as_pairs()
    figures: Figures = {
        "outcomes": {"ok": sketch.total, "timed_out: client": 2},
        "response_time": pairs,
        "service_time": pairs,
        "time_to_first_token": pairs if tokens else [],
        "time_per_output_token": pairs if tokens else [],
        "output_tokens": tokens,
    }
    return {**NOTHING, "variants": {variant: {"recent": figures, "whole": figures, "replays": 0}}}


def fields(message: bytes) -> dict[int, list[Any]]:
    """A message by its wire types alone: numbers, doubles, bytes."""
    found: dict[int, list[Any]] = {}
    while message:
        key, message = varint(message)
        value: Any
        if key & 7 == 0:
            value, message = varint(message)
        elif key & 7 == 1:
            value, message = struct.unpack("<d", message[:8])[0], message[8:]
        else:
            assert key & 7 == 2
            size, message = varint(message)
            assert len(message) >= size
            value, message = message[:size], message[size:]
        found.setdefault(key >> 3, []).append(value)
    return found


def varint(message: bytes) -> tuple[int, bytes]:
    value = 0
    for place, byte in enumerate(message):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, message[place + 1 :]
    raise AssertionError("it ends within a number")


def signed(value: int) -> int:
    return value >> 1 if not value & 1 else -(value + 1 >> 1)


def families(body: bytes) -> dict[str, dict[int, list[Any]]]:
    found = {}
    while body:
        size, body = varint(body)
        assert len(body) >= size
        family = fields(body[:size])
        found[family[1][0].decode()] = family
        body = body[size:]
    return found


def labels(metric: bytes) -> dict[str, str]:
    pairs = [fields(pair) for pair in fields(metric).get(1, [])]
    return {pair[1][0].decode(): pair[2][0].decode() for pair in pairs}


def buckets(histogram: dict[int, list[Any]]) -> dict[int, int]:
    """The native ones by index, as the specification says that they are to be read."""
    deltas, index, count, found = histogram.get(13, [b""])[0], 0, 0, {}
    for span in map(fields, histogram.get(12, [])):
        index += signed(span[1][0])
        for _ in range(span[2][0]):
            delta, deltas = varint(deltas)
            count += signed(delta)
            found[index] = count
            index += 1
    assert not deltas
    return found


def families_of(view: View) -> dict[str, dict[int, list[Any]]]:
    return families(exposition(measured(view, Board()), (0.01, 0.1)))


def histogram_of(family: dict[int, list[Any]]) -> dict[int, list[Any]]:
    (metric,) = family[4]
    return fields(fields(metric)[7][0])


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", PLAIN),
        ("*/*", PLAIN),
        (SCRAPER, PROTOBUF),
        (CONTENT_TYPE, PROTOBUF),
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5", OPEN_METRICS),
        (f"{ACCEPT};q=0.1,text/plain", PLAIN),
        (f"{ACCEPT};q=0", PLAIN),
        (f"{ACCEPT};q=nan,{ACCEPT};q=-1,{ACCEPT};q=1e9,{ACCEPT};q=x", PLAIN),
        (PROTOBUF, PLAIN),
        (f"{PROTOBUF};proto=io.prometheus.client.MetricFamily;encoding=text", PLAIN),
        ("text/plain;version=one", PLAIN),
        ("application/openmetrics-text;version=\xff.=;=;;,,;q", OPEN_METRICS),
        (f"{SCRAPER}{',' * 60_000}", PLAIN),
    ],
)
def test_a_scraper_gets_what_it_likes_best_and_text_when_in_doubt(accept: str, form: str) -> None:
    assert wanted(accept) == form


@pytest.mark.parametrize(
    "accept", ["text/plain;version=one", ";" * 50_000, SCRAPER, "application/openmetrics-text;version=x"]
)
def test_every_accept_header_is_answered(accept: str) -> None:
    port = free_port()
    serve(port, Master(seen([5.0])))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("GET", "/metrics", headers={"Accept": accept})
    answer = connection.getresponse()
    assert (answer.status, b"bench_response_time" in answer.read()) == (200, True)
    assert (answer.headers["Content-Type"] == CONTENT_TYPE) == (accept == SCRAPER)
    connection.close()


def test_before_the_first_sample_and_after_the_run_there_is_nothing_of_a_variant() -> None:
    master = Master()
    for view in (NOTHING, seen([5.0]), NOTHING):
        master.now = view
        found = families(exposition(measured(master.view(), master.board), (0.01,)))
        assert ("bench_response_time_seconds" in found) == (view is not NOTHING)
        assert "bench_running" in found


def test_a_variant_without_an_answer_has_an_empty_native_histogram() -> None:
    """Not an empty classic one: its threshold distinguishes the two."""
    histogram = histogram_of(families_of(seen([]))["bench_response_time_seconds"])
    assert (histogram[1], histogram[6], histogram[7], buckets(histogram)) == ([0], [ZERO_THRESHOLD_S], [0], {})


def test_labels_are_any_text() -> None:
    found = families_of(seen([5.0], variant=ODD))["bench_requests_total"]
    assert [labels(metric) for metric in found[4]] == [
        {"variant": ODD, "outcome": "ok", "cause": ""},
        {"variant": ODD, "outcome": "timed_out", "cause": "client"},
    ]
    assert [fields(fields(metric)[3][0])[1] for metric in found[4]] == [[1.0], [2.0]]
    (metric,) = families_of(seen([5.0], variant="half \ud83d"))["bench_replays_total"][4]
    assert labels(metric) == {"variant": "half ?"}


def test_only_who_streams_has_tokens() -> None:
    names = {"bench_time_to_first_token_seconds", "bench_time_per_output_token_seconds", "bench_output_tokens_total"}
    assert not names & families_of(seen([5.0])).keys()
    found = families_of(seen([5.0], tokens=1 << 40))
    assert names <= found.keys()
    assert fields(fields(found["bench_output_tokens_total"][4][0])[3][0])[1] == [float(1 << 40)]


def test_a_histogram_says_the_same_twice() -> None:
    """Far apart, side by side, none, and shorter than anything."""
    times_ms = [0.0, 0.0005, 0.9, 0.9, 5.0, 5.1, 5.2, 90.0, 9e6]
    family = families_of(seen(times_ms))["bench_response_time_seconds"]
    histogram = histogram_of(family)
    assert (family[3], histogram[1], signed(histogram[5][0])) == ([4], [9], 5)
    assert histogram[2][0] == pytest.approx(sum(times_ms) / 1e3, rel=0.01)
    classic = {bucket[2][0]: bucket[1][0] for bucket in map(fields, histogram[3])}
    assert classic == {0.01: 7, 0.1: 8}
    native = buckets(histogram)
    assert (histogram[7], sum(native.values())) == ([2], 7)
    for time_ms in times_ms[2:]:
        exact = math.log2(time_ms / 1e3) * 32
        assert {math.ceil(exact - 0.5), math.ceil(exact + 0.5)} & native.keys()


def test_a_count_never_falls_while_a_run_goes_on() -> None:
    """What Prometheus would take for a restart."""
    times_ms, before = np.random.default_rng(3).lognormal(3, 2, 3000), dict[int, int]()
    for end in range(100, 3001, 100):
        sketch = Sketch()
        sketch.add(times_ms[:end] * 1e6)
        _, now = native_buckets(sketch)
        assert all(now.get(index, 0) >= count for index, count in before.items())
        before = now


@contextmanager
def prometheus(folder: Path, scraped: int, *flags: str) -> Iterator[str]:
    """Debian's server, which scrapes that port; its own address."""
    own = free_port()
    scrape = {"job_name": "bench", "scrape_interval": "500ms", "scrape_timeout": "400ms"}
    configuration = {"scrape_configs": [{**scrape, "static_configs": [{"targets": [f"127.0.0.1:{scraped}"]}]}]}
    (folder / "prometheus.yml").write_text(json.dumps(configuration))
    server = subprocess.Popen(
        ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
         f"--web.listen-address=127.0.0.1:{own}", *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{own}"
    finally:
        server.terminate()
        server.wait(timeout=300)


def asked(server: str, query: str) -> dict[str, float]:
    """By variant; a histogram's classic buckets become one."""
    answer = text_of(f"{server}/api/v1/query?query={urllib.parse.quote(query)}")
    found = json.loads(answer)["data"]["result"] if answer else []
    return {one["metric"]["variant"]: float(one["value"][1]) for one in found}


@pytest.mark.skipif(not shutil.which("prometheus"), reason="needs Debian's prometheus")
@pytest.mark.slow
@pytest.mark.parametrize("native", [True, False])
def test_a_real_prometheus_knows_our_quantiles(tmp_path: Path, *, native: bool) -> None:
    """By native histograms within the width of a bucket and the sketch's error; without them by the classic ones."""
    times_ms = np.random.default_rng(4).lognormal(3, 0.7, 20_000)
    port = free_port()
    serve(port, Master(seen(times_ms, variant=ODD, tokens=7)))
    name = "bench_time_to_first_token_seconds"
    series, count = (name, f"histogram_count({name})") if native else (f"{name}_bucket", f"{name}_count")
    flags = ["--enable-feature=native-histograms"] if native else []
    with prometheus(tmp_path, port, *flags) as server:
        until(lambda: bool(asked(server, f"histogram_quantile(0.5, {series})")), within_s=300)
        for q in (0.5, 0.99):
            found = asked(server, f"histogram_quantile({q}, {series})")
            truth = float(np.quantile(times_ms, q)) / 1e3
            assert found == {ODD: pytest.approx(truth, rel=0.035 if native else 1.0)}
        assert asked(server, "bench_output_tokens_total") == {ODD: 7}
        assert asked(server, count) == {ODD: 20_000}
        assert bool(asked(server, f"{name}_bucket")) != native  # which is what the guide says
