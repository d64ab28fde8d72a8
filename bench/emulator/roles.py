"""Who asks for credentials and what they may not do: Azure's role actions. Pure; `state` holds the principals.

Actions and the text of a denial: Microsoft Learn, "Authenticate clients for online endpoints", and ARM's
AuthorizationFailed body as quoted in microsoft/mlops-template-for-azureml-sdk-v2#9.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_WORKSPACE = "Microsoft.MachineLearningServices/workspaces"
_ENDPOINT = f"{_WORKSPACE}/onlineEndpoints"

ACTIONS: dict[str, str] = {
    "workspace/read": f"{_WORKSPACE}/read",
    "read": f"{_ENDPOINT}/read",
    "deployments/read": f"{_ENDPOINT}/deployments/read",
    "listkeys/action": f"{_ENDPOINT}/listKeys/action",
    "token/action": f"{_ENDPOINT}/token/action",
    "regeneratekeys/action": f"{_ENDPOINT}/regenerateKeys/action",
    "score/action": f"{_ENDPOINT}/score/action",
    "serverless/read": f"{_WORKSPACE}/serverlessEndpoints/read",
    "serverless/listkeys/action": f"{_WORKSPACE}/serverlessEndpoints/listKeys/action",
}
"""Short name, lower case -> the action in full, spelled as Azure spells it."""


@dataclass(slots=True, kw_only=True)
class Principal:
    """An identity that has every role action but those in `denied` (actions in full)."""

    name: str
    client_id: str
    object_id: str
    denied: set[str] = field(default_factory=set)


def full_action(text: str) -> str:
    """The action in full for a short or full name in any case. ValueError for an unknown one."""
    wanted = text.strip().lower()
    for short, full in ACTIONS.items():
        if wanted in (short, full.lower()):
            return full
    raise ValueError(f"unknown action {text!r}; known are {', '.join(ACTIONS)}")


def denial(principal: Principal, action: str, scope: str) -> str:
    """ARM's AuthorizationFailed message, word for word."""
    return (
        f"The client '{principal.client_id}' with object id '{principal.object_id}' does not have authorization to "
        f"perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, "
        "please refresh your credentials."
    )
