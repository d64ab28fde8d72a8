"""The truth table: does the first line of a run name the fault and its share?

`python -m tests.calibration.truth_table` makes it; the soak tests run it too.
Each fault is run twice with `bench run --scoring-uri`. The table goes to results/calibration/truth_table.md.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench.calibration import table
from tests.calibration.misbehaving import Behaviour, answer, late, raw, serve, sometimes

_OK_HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n"
_MODEL = ("ms-azureml-model-error-statuscode: 500", "ms-azureml-model-error-reason: model_error")
_PAGE = Path("results") / "calibration" / "truth_table.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`said` is what the first line must match; `tls` has a certificate of nobody; no `behave`: nothing listens."""

    name: str
    said: str
    behave: Behaviour | None
    tls: bool = False
    scheme: str = "http"


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstLine:
    """What one run said of a fault."""

    fault: Fault
    line: str
    code: int

    @property
    def named(self) -> bool:
        return re.search(self.fault.said, self.line) is not None


ALL = "100 % failed: "
FAULTS: tuple[Fault, ...] = (
    Fault(
        name="308 to https",
        said=ALL + r"308 Permanent Redirect \(\d+\), to https://there/score",
        behave=answer(308, b"", "location: https://there/score"),
    ),
    Fault(
        name="302 to a login page",
        said=ALL + r"302 Found \(\d+\), to https://login/",
        behave=answer(302, b"", "location: https://login/?next=secret"),
    ),
    Fault(name="400", said=ALL + r'400 Bad Request \(\d+\), "no such field"', behave=answer(400, b"no such field")),
    Fault(
        name="400 to one of three",
        said=r"3\d(\.\d)? % failed: 400 Bad Request",
        behave=sometimes(answer(400, b"bad"), every=3),
    ),
    Fault(name="401", said=ALL + r"401 refused \(\d+\), \"key_auth", behave=answer(401, b"key_auth_access_denied")),
    Fault(
        name="403 public access disabled",
        said=ALL + r"403 .*public network access is disabled",
        behave=answer(403, b"public network access is disabled"),
    ),
    Fault(
        name="404 no such deployment",
        said=ALL + r'404 Not Found \(\d+\), "no such deployment"',
        behave=answer(404, b"no such deployment"),
    ),
    Fault(name="408", said=ALL + r"408 (the model took too long|Request Timeout)", behave=answer(408, b"")),
    Fault(name="413", said=ALL + r"413 Content Too Large", behave=answer(413, b"too big")),
    Fault(
        name="424 model error",
        said=ALL + r'424 Failed Dependency \(\d+\), model 500 model_error, "KeyError: data"',
        behave=answer(424, b"KeyError: data", *_MODEL),
    ),
    Fault(name="429 rate", said=ALL + r"429 too many a second", behave=answer(429, b"slow down")),
    Fault(
        name="429 pending",
        said=ALL + r"429 too many waiting",
        behave=answer(429, b"", "ms-azureml-model-error-reason: too_many_pending_request"),
    ),
    Fault(name="500", said=ALL + r"500 Internal Server Error \(\d+\), \"oops\"", behave=answer(500, b"oops")),
    Fault(name="502 of a proxy", said=ALL + r"502 Bad Gateway", behave=answer(502, b"<h1>bad gateway</h1>")),
    Fault(
        name="503 to one of ten",
        said=r"(9|1\d)(\.\d+)? % failed: 503 Service Unavailable",
        behave=sometimes(answer(503), every=10),
    ),
    Fault(name="504", said=ALL + r"504 Gateway Timeout", behave=answer(504)),
    Fault(name="silence before the answer", said=ALL + r"no answer in time", behave=raw(b"", then="silence")),
    Fault(
        name="silence after the head",
        said=ALL + r"no answer in time, answer with status 200 cut off",
        behave=raw(_OK_HEAD, then="silence"),
    ),
    Fault(
        name="silence within the head",
        said=ALL + r"no answer in time",
        behave=raw(b"HTTP/1.1 200 OK\r\ncont", then="silence"),
    ),
    Fault(name="closed without an answer", said=ALL + r"connection closed", behave=raw(b"")),
    Fault(
        name="body cut off",
        said=ALL + r"(connection|transport error:) cut, answer with status 200 cut off",
        behave=raw(_OK_HEAD + b"half"),
    ),
    Fault(name="reset", said=ALL + r"connection reset", behave=raw(b"", then="reset")),
    Fault(name="no HTTP", said=ALL + r"no valid HTTP", behave=raw(b"SSH-2.0-OpenSSH_9\r\n")),
    Fault(
        name="oversized head",
        said=ALL + r"no valid HTTP",
        behave=raw(b"HTTP/1.1 200 OK\r\nx: " + b"a" * 200_000 + b"\r\n\r\n"),
    ),
    Fault(name="nothing listens", said=r"connection refused|refused", behave=None),
    Fault(name="certificate of nobody", said=r"TLS|certificate", behave=answer(200), tls=True, scheme="https"),
    Fault(name="no TLS at all", said=r"no TLS handshake", behave=answer(200), scheme="https"),
    Fault(name="slow, 0.6 s", said=r"no request failed.*p50 6\d\d", behave=late(0.6)),
)


def run_fault(fault: Fault, folder: Path) -> FirstLine:
    """One run of `bench run` against it."""
    if fault.behave is None:
        return _run_against(fault, 9, folder)  # the discard port: nothing listens there
    with serve(fault.behave, certificate=_certificate(folder) if fault.tls else None) as port:
        return _run_against(fault, port, folder)


def _run_against(fault: Fault, port: int, folder: Path) -> FirstLine:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "bench", "run", "--scoring-uri", f"{fault.scheme}://127.0.0.1:{port}/score"),
            *("--arrival-rate", "20", "--users", "30", "--duration", "2s", "--warm-up", "0s", "--timeout", "1s"),
            *("--out", str(folder / "results")),
        ],
        env={**os.environ, "BENCH_KEY": "fault-table"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = done.stdout or next((line for line in done.stderr.splitlines() if line.startswith("error")), "")
    return FirstLine(fault=fault, line=next(iter(said.splitlines()), ""), code=done.returncode)


def _certificate(folder: Path) -> tuple[Path, Path]:
    import trustme

    pem, key = folder / "cert.pem", folder / "key.pem"
    made = trustme.CA().issue_cert("127.0.0.1")
    made.cert_chain_pems[0].write_to_path(pem)
    made.private_key_pem.write_to_path(key)
    return pem, key


def page(lines: Sequence[FirstLine]) -> str:
    """The table."""
    rows = [
        {
            "fault": one.fault.name,
            "named": "yes" if one.named else "NO",
            "exit code": one.code,
            "the first line": one.line.replace("|", "/")[:160],
        }
        for one in lines
    ]
    named = sum(one.named for one in lines)
    return (
        "# Truth table: is the fault named?\n\n"
        "A server misbehaves in one way; `bench run` (20/s for 2 s, time-out 1 s) is run twice against each. "
        "Named means that "
        f"the first line alone tells the fault and its share: {named} of {len(lines)} runs.\n\n"
        f"{table.markdown(rows)}\n"
    )


def main() -> int:
    """Run all, write the page."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        work = [(fault, Path(folder) / f"{i}-{n}") for i, fault in enumerate(FAULTS) for n in range(2)]
        for _, place in work:
            place.mkdir()
        lines = list(pool.map(lambda one: run_fault(*one), work))
    _PAGE.write_text(page(lines), encoding="utf-8")
    return 0 if all(one.named for one in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
