"""The Azure clouds: where each is managed, where one signs in, and for which audience a token scores. Pure noun.

Names and hosts are those of azure-ai-ml 1.35 (`_azure_environments.py`), so that `--cloud` takes what its `cloud=`
takes, in any case; beside them the names of everyday speech.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.errors import UsageError

CLOUD_VARIABLE = "AZUREML_CURRENT_CLOUD"
"""What azure-ai-ml itself reads, and sets."""
METADATA_VARIABLE = "ARM_CLOUD_METADATA_URL"
"""Where azure-ai-ml finds a list of clouds beside its own three."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """One cloud. All are origins without a trailing slash."""

    name: str
    resource_manager: str
    authority: str
    scoring_audience: str

    @property
    def arm_scope(self) -> str:
        """Of a token for the control plane."""
        return f"{self.resource_manager}/.default"

    @property
    def scoring_scope(self) -> str:
        """Of an Entra token for the data plane."""
        return f"{self.scoring_audience}/.default"


CLOUDS = (
    Cloud(
        name="AzureCloud",
        resource_manager="https://management.azure.com",
        authority="https://login.microsoftonline.com",
        scoring_audience="https://ml.azure.com",
    ),
    Cloud(
        name="AzureUSGovernment",
        resource_manager="https://management.usgovcloudapi.net",
        authority="https://login.microsoftonline.us",
        scoring_audience="https://ml.azure.us",
    ),
    Cloud(
        name="AzureChinaCloud",
        resource_manager="https://management.chinacloudapi.cn",
        authority="https://login.chinacloudapi.cn",
        scoring_audience="https://ml.azure.cn",
    ),
)
PUBLIC = CLOUDS[0]
_SHORT = {
    **{cloud.name.lower(): cloud for cloud in CLOUDS},
    "public": CLOUDS[0],
    "usgov": CLOUDS[1],
    "government": CLOUDS[1],
    "china": CLOUDS[2],
}


def cloud_of(name: str, *, given_by: str = "--cloud") -> Cloud:
    """The cloud of that name, in any case; empty is public Azure. UsageError names `given_by` and the choices."""
    if not name.strip():
        return PUBLIC
    try:
        return _SHORT[name.strip().lower()]
    except KeyError as exc:
        raise UsageError(
            f"{given_by}: {name!r} is no Azure cloud", hint=f"there are {', '.join(cloud.name for cloud in CLOUDS)}"
        ) from exc
