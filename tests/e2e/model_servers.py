"""Servers that nobody here wrote: MLflow's scoring server and MLServer, each with a model that adds; LLM Katan, which
streams chats in OpenAI's form, and whose model echoes; MLflow's tracking.

`make servers` installs them.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from tests.load.wire.real_server import environment, running

_MLFLOW_MODEL = """
import mlflow
from mlflow.models import ModelSignature
from mlflow.pyfunc.scoring_server import init
from mlflow.types import ColSpec, Schema

class Sum(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return (model_input["a"] + model_input["b"]).tolist()

signature = ModelSignature(inputs=Schema([ColSpec("long", "a"), ColSpec("long", "b")]))
mlflow.pyfunc.save_model("model", python_model=Sum(), signature=signature, pip_requirements=[])
app = init(mlflow.pyfunc.load_model("model"))
"""

_MLSERVER_MODEL = """
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

class Sum(MLModel):
    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        rows = NumpyCodec.decode_input(payload.inputs[0])
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("sum", rows.sum(axis=1))])
"""


@contextlib.contextmanager
def mlflow(folder: Path) -> Iterator[str]:
    """MLflow's scoring server on loopback, with a model of columns a and b; its base URL."""
    venv = environment("mlflow")
    (folder / "served.py").write_text(_MLFLOW_MODEL)
    command = [str(venv / "bin" / "python"), "-m", "uvicorn", "served:app", "--host", "127.0.0.1", "--port", "0"]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true"}
    with running(command, listening="Uvicorn running on", folder=folder, variables=quiet) as base:
        yield base


@contextlib.contextmanager
def mlserver(folder: Path) -> Iterator[str]:
    """MLServer on loopback, with the model `m`; its base URL."""
    venv = environment("mlserver")
    (folder / "served.py").write_text(_MLSERVER_MODEL)
    (folder / "model-settings.json").write_text(json.dumps({"name": "m", "implementation": "served.Sum"}))
    settings = {"host": "127.0.0.1", "http_port": 0, "grpc_port": 0, "metrics_endpoint": None, "parallel_workers": 0}
    (folder / "settings.json").write_text(json.dumps(settings))
    command = [str(venv / "bin" / "mlserver"), "start", "."]
    with running(command, listening="Uvicorn running on", folder=folder) as base:
        yield base


@contextlib.contextmanager
def llm_katan(folder: Path, *words: str) -> Iterator[str]:
    """LLM Katan on loopback, with the model `m`; its base URL."""
    venv = environment("llm_katan")
    command = [
        str(venv / "bin" / "llm-katan"),
        "--model",
        "m",
        "--backend",
        "echo",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
    ]
    own = ["--max-concurrent", "8", "--stats-file", str(folder / "stats.json"), "--disable-dashboard", *words]
    with running([*command, *own], listening="Uvicorn running on", folder=folder) as base:
        yield base


@contextlib.contextmanager
def tracking(folder: Path) -> Iterator[str]:
    """MLflow's tracking server on loopback, with a database and files of its own; its base URL."""
    venv = environment("mlflow")
    store = ["--backend-store-uri", "sqlite:///mlflow.db", "--artifacts-destination", "./files"]
    place = ["--host", "127.0.0.1", "--port", "0", "--workers", "1"]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    command = [str(venv / "bin" / "python"), "-m", "mlflow", "server", *store, *place]
    with running(command, listening="Uvicorn running on", folder=folder, variables=quiet) as base:
        yield base
