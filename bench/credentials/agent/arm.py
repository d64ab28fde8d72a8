"""Azure Resource Manager without the SDK's extra reads: one call, one request. Edge; lives in the agent process.

azure-ai-ml lists the deployments whenever it gets an endpoint, and gets the endpoint whenever it lists keys, so that
whoever may only list keys could not. The paths and the api-version are the SDK's own.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import quote

from azure.core import PipelineClient
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import CustomHookPolicy, HeadersPolicy, RequestIdPolicy, UserAgentPolicy
from azure.core.rest import HttpRequest
from azure.mgmt.core.exceptions import ARMErrorFormat
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

from bench.endpoint import Workspace
from bench.target.cloud import Cloud

_API_VERSION = "2022-02-01-preview"
_OTHER_MANAGER = "AZUREML_DEV_URL_MFE"
"""Where azure-ai-ml finds another control plane, such as the emulator's."""


class Arm:
    """One workspace's endpoints. Raises azure-core's exceptions; `hook` sees every answer."""

    def __init__(
        self, identity: Any, workspace: Workspace, *, cloud: Cloud, hook: Any, settings: dict[str, Any]
    ) -> None:
        origin = os.environ.get(_OTHER_MANAGER) or cloud.resource_manager
        place = (
            f"/subscriptions/{quote(workspace.subscription_id, safe='')}"
            f"/resourceGroups/{quote(workspace.resource_group, safe='')}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{quote(workspace.workspace_name, safe='')}"
        )
        self._endpoints = f"{origin.rstrip('/')}{place}/onlineEndpoints"
        self.options: dict[str, Any] = {"enforce_https": origin.lower().startswith("https")}
        """For every call, azure-ai-ml's as well: the emulator's control plane is plain http."""
        policies = [
            RequestIdPolicy(),
            HeadersPolicy({"Accept": "application/json"}),
            UserAgentPolicy("azureml-endpoint-bench"),
            ARMChallengeAuthenticationPolicy(identity, cloud.arm_scope),
            CustomHookPolicy(raw_response_hook=hook),
        ]
        self._client = PipelineClient(origin, policies=policies, **settings)

    def endpoint(self, name: str) -> dict[str, Any]:
        """`GET` of the endpoint; needs onlineEndpoints/read."""
        return self._ask("GET", quote(name, safe=""))

    def deployments(self, name: str) -> list[dict[str, Any]]:
        """Its deployments; needs onlineEndpoints/deployments/read."""
        answer = self._ask("GET", f"{quote(name, safe='')}/deployments").get("value")
        return [one for one in answer if isinstance(one, dict)] if isinstance(answer, list) else []

    def keys(self, name: str) -> dict[str, Any]:
        """`primaryKey` and `secondaryKey`; needs onlineEndpoints/listKeys/action and nothing else."""
        return self._ask("POST", f"{quote(name, safe='')}/listKeys")

    def token(self, name: str) -> dict[str, Any]:
        """`accessToken` with its times in epoch seconds; needs onlineEndpoints/token/action and nothing else."""
        return self._ask("POST", f"{quote(name, safe='')}/token")

    def _ask(self, method: str, path: str) -> dict[str, Any]:
        request = HttpRequest(method, f"{self._endpoints}/{path}", params={"api-version": _API_VERSION})
        response = self._client.send_request(request, **self.options)
        if response.status_code != 200:
            raise HttpResponseError(response=response, error_format=ARMErrorFormat)
        answer = response.json()
        return answer if isinstance(answer, dict) else {}
