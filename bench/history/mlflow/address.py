"""Where an MLflow tracking server is, by MLflow's own variables, and with what secret. Pure.

MLFLOW_TRACKING_URI            https://host[/prefix]; http://host; a workspace's azureml://host/mlflow/v1.0/subscriptions/...
MLFLOW_TRACKING_TOKEN          a bearer token; else _USERNAME and _PASSWORD

Address and secret both come from the environment, so that no file in a repository can send the secret elsewhere. It
goes to https only, or to loopback. For a workspace without a token one of Azure's control plane is fetched; that one
opens far more than a history, so it goes to Azure ML's own hosts only. The base path and the token's scope are those
of azureml-mlflow 1.62 (`_store/azureml_reststore.py`), the hosts those of Azure ML's private DNS zones.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from bench.endpoint import Workspace
from bench.errors import UsageError

URI = "MLFLOW_TRACKING_URI"
TOKEN = "MLFLOW_TRACKING_TOKEN"  # noqa: S105 - a variable's name
USERNAME = "MLFLOW_TRACKING_USERNAME"
PASSWORD = "MLFLOW_TRACKING_PASSWORD"  # noqa: S105 - a variable's name

AZURE_HOSTS = {
    ".api.azureml.ms": "AzureCloud",
    ".api.ml.azure.us": "AzureUSGovernment",
    ".api.ml.azure.cn": "AzureChinaCloud",
}
"""What hosts of workspaces end with, and their cloud."""

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_WORKSPACE = re.compile(
    r"/mlflow/v[0-9.]+/subscriptions/([^/]+)/resourceGroups/([^/]+)"
    r"/providers/Microsoft\.MachineLearningServices/workspaces/([^/]+)/?",
    re.IGNORECASE,
)
_HINT = f"set {URI}=https://..., or to what `az ml workspace show --query mlflow_tracking_uri` says"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """`base` is what `/api/2.0/mlflow/...` follows. `workspace` is set where it is one of Azure ML.

    `cloud` is set with it where a token of that cloud is to be fetched, for want of another secret.
    """

    base: str
    authorization: str = field(default="", repr=False)
    workspace: Workspace | None = None
    cloud: str = ""

    @property
    def host(self) -> str:
        """For messages."""
        return urlsplit(self.base).netloc

    @property
    def secure(self) -> bool:
        return self.base.startswith("https:")


def address(environ: Mapping[str, str]) -> Address:
    """What the variables name. UsageError for none, for what is no address, and for a secret that would be read."""
    uri = environ.get(URI, "").strip()
    if not uri:
        raise UsageError(f"--history mlflow:... needs {URI} in the environment", hint=_HINT)
    try:
        parts = urlsplit(uri)
        fits = bool(parts.hostname) and parts.port != 0 and uri.isascii() and all(letter > " " for letter in uri)
    except ValueError:
        fits = False
    if not fits or parts.scheme not in {"http", "https", "azureml"}:
        raise UsageError(f"{URI} is no tracking server that is asked over HTTP", hint=_HINT)
    if parts.username is not None or parts.query or parts.fragment:
        raise UsageError(
            f"{URI} has a user, a query or a fragment",
            hint=f"a secret belongs into {TOKEN}, or {USERNAME} and {PASSWORD}",
        )
    authorization = _authorization(environ)
    if parts.scheme == "azureml":
        return _of_workspace(parts.netloc, parts.hostname or "", parts.path, authorization)
    if authorization and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise UsageError(f"{URI}: a secret is sent to https only, not to {parts.scheme}://{parts.netloc}", hint=_HINT)
    return Address(base=uri.rstrip("/"), authorization=authorization)


def _of_workspace(netloc: str, host: str, path: str, authorization: str) -> Address:
    match = _WORKSPACE.fullmatch(path)
    if match is None:
        raise UsageError(f"{URI} is not as a workspace's is: azureml://host/mlflow/v1.0/subscriptions/...", hint=_HINT)
    subscription, group, name = match.groups()
    cloud = next((cloud for ending, cloud in AZURE_HOSTS.items() if host.endswith(ending)), "")
    if not authorization and not cloud:
        raise UsageError(
            f"{URI}: {host} is no host of Azure ML, and a token of Azure's goes to no other",
            hint=f"give a token of its own in {TOKEN}",
        )
    scope = (
        f"/subscriptions/{quote(subscription)}/resourceGroups/{quote(group)}"
        f"/providers/Microsoft.MachineLearningServices/workspaces/{quote(name)}"
    )
    return Address(
        base=f"https://{netloc}/mlflow/v2.0{scope}",
        authorization=authorization,
        workspace=Workspace(subscription_id=subscription, resource_group=group, workspace_name=name),
        cloud="" if authorization else cloud,
    )


def _authorization(environ: Mapping[str, str]) -> str:
    """The header's value; UsageError without the secret for one that no header may hold."""
    token, user, password = (environ.get(name, "").strip() for name in (TOKEN, USERNAME, PASSWORD))
    if token:
        if not all("!" <= letter <= "~" for letter in token):
            raise UsageError(f"{TOKEN} cannot be a token: it holds what no header may", hint="set it again")
        return f"Bearer {token}"
    if user and password:
        return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
    return ""
