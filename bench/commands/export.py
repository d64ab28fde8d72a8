"""Send a stored run to where other figures are: an OpenTelemetry collector.

examples:
  bench export otlp results/20261124-081530-123-ab12 --otlp-endpoint http://localhost:4318
  bench export otlp                              (the newest run, to OTEL_EXPORTER_OTLP_ENDPOINT)
  bench export otlp RUN --traces 0.1             (a tenth of the requests as spans, all of them in the figures)

Spans are those of the requests that --traceparent marked as sampled, under the same ids; of a run without it, of 1 %.
A secret of the collector comes from OTEL_EXPORTER_OTLP_HEADERS. Exit code 1 when the collector does not take all of it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench import numbers
from bench.errors import BenchError, RunInvalid
from bench.plain_text import write_line
from bench.plan.reading import share_of, within
from bench.plan.run_plan import parse_duration_s
from bench.rundir import RunDir, newest_run
from bench.runreader import load_manifest

_SHARE_WITHOUT_TRACES = 0.01


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "to", metavar="otlp", choices=("otlp",), help="what it is sent as: OpenTelemetry's protocol over HTTP"
    )
    parser.add_argument("run", nargs="?", metavar="RUN", default="", help="run folder (the newest)")
    parser.add_argument("--results", metavar="DIR", default="results", help="where runs are")
    parser.add_argument(
        "--otlp-endpoint", metavar="URL", default="", help="the collector [env OTEL_EXPORTER_OTLP_ENDPOINT]"
    )
    parser.add_argument(
        "--traces", metavar="SHARE", default="", help="share of the requests that are sent as spans, 0 to 1 or 5%%"
    )
    parser.add_argument(
        "--only", choices=("traces", "metrics"), default="", help="for a system that takes no more (MLflow, Jaeger)"
    )
    parser.add_argument("--every", metavar="TIME", default="10s", help="how often there is a point of the figures")


def run(arguments: argparse.Namespace) -> int:
    every_s = parse_duration_s(arguments.every, option="--every")
    within(every_s, "every", least=1, most=86_400)
    folder = RunDir(Path(arguments.run)) if arguments.run else newest_run(Path(arguments.results))
    manifest = load_manifest(folder)
    share = manifest["plan"].get("trace_share")
    if arguments.traces:
        share = share_of(arguments.traces, option="--traces")
    elif share is None:
        share = _SHARE_WITHOUT_TRACES
    if not manifest.get("ended"):
        write_line(sys.stderr, f"note: {folder.run_id} has no end: it was killed, or still goes on")
    from bench.otlp.collector import SIGNALS, Collector
    from bench.otlp.stored_run import send

    signals = (arguments.only,) if arguments.only else SIGNALS
    share = share if "traces" in signals else 0.0
    collector = Collector(arguments.otlp_endpoint, signals=signals)
    sent = send(folder, manifest, collector, share=share, every_s=every_s)
    for problem in sent.problems:
        write_line(sys.stderr, f"problem: {problem}")
    write_line(
        sys.stdout,
        f"sent {numbers.count(sent.spans)} spans ({numbers.percent(share)} of the requests)"
        f" and figures at {numbers.count(sent.points)} times",
    )
    if sent.rejected:
        write_line(sys.stderr, f"error: the collector rejected {numbers.count(sent.rejected)} of them")
        return BenchError.exit_code
    return RunInvalid.exit_code if sent.problems else 0
