"""Servers that nobody here wrote: MLflow's scoring server and MLServer, each with a model that adds; LLM Katan, which
streams chats in OpenAI's form, and whose model echoes; MLflow's tracking; `transformers serve` with a tiny model of
random weights.

`make servers` installs them, but for the last, which takes a gigabyte: it is used where PATH has an environment with
`transformers[serving]` and torch.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

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

_TINY_MODEL = """
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

words = {"[UNK]": 0, "<s>": 1, **{f"w{number}": number for number in range(2, 256)}}
inner = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
inner.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="[UNK]", bos_token="<s>")
tokenizer.chat_template = "{{ bos_token }}{% for turn in messages %} {{ turn['content'] }}{% endfor %}"
tokenizer.save_pretrained("tiny")
sizes = {"vocab_size": 256, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1}
tokens = {"bos_token_id": 1, "eos_token_id": None, "pad_token_id": 0}
LlamaForCausalLM(LlamaConfig(**sizes, **tokens, num_attention_heads=2, num_key_value_heads=2)).save_pretrained("tiny")
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


@contextlib.contextmanager
def transformers(folder: Path) -> Iterator[tuple[str, str]]:
    """`transformers serve` on loopback; its base URL, and the name of its model."""
    found = shutil.which("transformers")
    if found is None:
        pytest.skip("no `transformers` on PATH: an environment with transformers[serving] and torch has it")
    python = str(Path(found).resolve().parent / "python")
    subprocess.run([python, "-c", _TINY_MODEL], cwd=folder, check=True, capture_output=True, timeout=300)
    model = str(folder / "tiny")
    command = [found, "serve", model, "--host", "127.0.0.1", "--port", "0"]
    with running(command, listening="Uvicorn running on", folder=folder, variables={"HF_HUB_OFFLINE": "1"}) as base:
        yield base, model
