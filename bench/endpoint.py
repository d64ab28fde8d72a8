"""An Azure ML online endpoint, its auth modes, and what a principal needs to use them. Pure noun.

Source of the actions and roles: Microsoft Learn, "Authentication and authorization for online
endpoints" and "Authenticate clients for online endpoints".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self


class AuthMode(StrEnum):
    """How an endpoint wants to be scored: with a key (the default) or with a token that expires."""

    KEY = "key"
    AML_TOKEN = "aml_token"  # noqa: S105 - Azure's word for the mode, not a secret
    AAD_TOKEN = "aad_token"  # noqa: S105 - Azure's word for the mode, not a secret


SERVERLESS = "serverless/"
"""Before the name of a serverless endpoint; a name without a kind is an online endpoint's."""
_PREFIX = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"

READ_ACTION = f"{_PREFIX}/read"
SCORE_ACTION = f"{_PREFIX}/score/action"
CREDENTIAL_ACTIONS: dict[AuthMode, str] = {
    AuthMode.KEY: f"{_PREFIX}/listkeys/action",
    AuthMode.AML_TOKEN: f"{_PREFIX}/token/action",
}
"""What the principal must be allowed to do to be given the secret; an Entra token needs nothing of ARM."""

ROLES = ("Owner", "Contributor", "AzureML Data Scientist")
"""Built-in roles whose wildcards carry every action above."""


def role_advice(action: str) -> str:
    """What to ask an administrator for when `action` is missing."""
    return f"needs {ROLES[0]}, {ROLES[1]}, {ROLES[2]}, or a custom role with {action}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Where the control plane finds an endpoint."""

    subscription_id: str
    resource_group: str
    workspace_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """How the principal signs in: to which cloud and tenant, as whom, and how long a program such as `az` may take."""

    cloud: str = ""
    tenant_id: str = ""
    client_id: str = ""
    timeout_s: float = 10.0
    ca_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What ARM says about one deployment. Numbers it does not tell are None."""

    name: str
    state: str = ""
    instance_type: str = ""
    instances: int | None = None
    request_timeout_s: float | None = None
    max_concurrent_requests: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What ARM says about one online endpoint, without any secret.

    `name` is empty for a bare scoring URI. `traffic` and `mirror_traffic` hold (deployment, percent) pairs.
    `deployments` is None when the principal may not list them, `state` empty when nothing was read. A serverless
    endpoint is called `serverless/NAME`, and has neither traffic nor deployments.
    """

    name: str
    scoring_uri: str
    auth_mode: AuthMode
    traffic: tuple[tuple[str, int], ...] = ()
    mirror_traffic: tuple[tuple[str, int], ...] = ()
    state: str = ""
    network_access: str = ""
    deployments: tuple[Deployment, ...] | None = None

    @property
    def is_serverless(self) -> bool:
        return self.name.startswith(SERVERLESS)

    def as_json(self) -> dict[str, Any]:
        """Plain values, for a pipe and for the manifest."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `as_json`."""
        listed = values["deployments"]
        return cls(
            **{
                **values,
                "auth_mode": AuthMode(values["auth_mode"]),
                "traffic": tuple((name, percent) for name, percent in values["traffic"]),
                "mirror_traffic": tuple((name, percent) for name, percent in values["mirror_traffic"]),
                "deployments": None if listed is None else tuple(Deployment(**one) for one in listed),
            }
        )
