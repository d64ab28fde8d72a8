"""Python servers nobody here wrote, in an environment of their own: Azure ML's real scoring server, and httpbin.

`make servers` makes that environment. azureml-inference-server-http pins an OpenTelemetry that azure-ai-ml cannot live
with, so it cannot be in this one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.load.wire.real_server import environment, running

SCORE = """
import json
import time

from azureml_inference_server_http.api.aml_response import AMLResponse

def init():
    pass

def events():
    yield ": hello\\n\\n"
    for number in range(6):
        time.sleep(0.05)
        yield f"data: word {number}\\r\\n\\r\\n"

def run(raw):
    sent = json.loads(raw)
    if sent == "stream":
        return AMLResponse(events(), 200, {"Content-Type": "text/event-stream"})
    if sent == "raise":
        raise ValueError("the model does not like it")
    return {"bytes": len(raw), "big": "x" * sent.get("big", 0)}
"""

RAW_SCORE = """
import hashlib

from azureml_inference_server_http.api.aml_request import rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse

def init():
    pass

@rawhttp
def run(request):
    body = request.get_data(False)
    received = {"kind": request.headers.get("Content-Type"), "sha256": hashlib.sha256(body).hexdigest()}
    return AMLResponse(received, 200, json_str=True)
"""
"""A scoring script that takes what was sent as it is, as those for images do."""


@contextlib.contextmanager
def gunicorn(app: str, *options: str, venv: Path, folder: Path, variables: dict[str, str]) -> Iterator[str]:
    """Run `app`; its base URL. Gunicorn takes a free port itself and says which in its log."""
    command = [str(venv / "bin" / "python"), "-m", "gunicorn", "-b", "127.0.0.1:0", "--log-file", "-", *options, app]
    with running(command, listening="Listening at:", folder=folder, variables=variables) as base:
        yield base


@contextlib.contextmanager
def scoring_server(*options: str, folder: Path, script: str = SCORE) -> Iterator[str]:
    """Azure ML's inference server on loopback; its scoring URI. `azmlinfsrv` itself would bind every address."""
    venv = environment("azureml_inference_server_http")
    (folder / "score.py").write_text(script)
    variables = {
        "AZUREML_ENTRY_SCRIPT": str(folder / "score.py"),
        "AML_APP_ROOT": str(folder),
        "AZUREML_MODEL_DIR": str(folder),
        "AML_APP_INSIGHTS_ENABLED": "false",
    }
    app = "azureml_inference_server_http.server.entry:app"
    with gunicorn(app, *options, venv=venv, folder=folder, variables=variables) as base:
        yield f"{base}/score"


@contextlib.contextmanager
def httpbin(folder: Path) -> Iterator[str]:
    """httpbin on loopback; its base URL."""
    venv = environment("httpbin")
    options = ("-k", "gthread", "--threads", "4")
    with gunicorn("httpbin:app", *options, venv=venv, folder=folder, variables={}) as base:
        yield base
