"""Whether an endpoint can answer at all, by what ARM says of it: state, deployments, traffic, network. Pure.

States and their meaning: Microsoft Learn, "Online endpoints - Get" (provisioningState, publicNetworkAccess).
"""

from __future__ import annotations

from collections.abc import Iterable

from bench.endpoint import Deployment, Endpoint
from bench.errors import BenchError, RunInvalid, UsageError

_READY = ("", "Succeeded", "Updating")
"""An endpoint that is being updated goes on answering."""


def obstacle(endpoint: Endpoint, deployment: str = "") -> BenchError | None:
    """Why scoring it cannot succeed now: exit 2 for a name that does not exist, else 4. `deployment` is pinned."""
    if endpoint.state not in _READY:
        return RunInvalid(f"endpoint {endpoint.name!r} is {endpoint.state}", hint=_next(endpoint.state))
    if not endpoint.scoring_uri:
        return RunInvalid(f"endpoint {endpoint.name!r} has no scoring URI yet", hint=_next("Creating"))
    if endpoint.is_serverless:
        if not deployment:
            return None
        return UsageError(f"endpoint {endpoint.name!r} has no deployments", hint="leave --deployment out")
    names = [name for name, _ in endpoint.traffic]
    if deployment and endpoint.deployments is not None and deployment.lower() not in (name.lower() for name in names):
        return UsageError(
            f"endpoint {endpoint.name!r} has no deployment {deployment!r}",
            hint=f"it has {', '.join(names)}" if names else "it has none",
        )
    if not deployment and not any(percent > 0 for _, percent in endpoint.traffic):
        shares = ", ".join(f"{name} {percent} %" for name, percent in endpoint.traffic)
        return RunInvalid(
            f"no deployment of endpoint {endpoint.name!r} takes traffic ({shares or 'it has none'}): scoring is a 404",
            hint="give one a share of the traffic, or pin one with --deployment",
        )
    for one in measured(endpoint, deployment):
        if one.state not in _READY:
            return RunInvalid(
                f"deployment {one.name!r} of endpoint {endpoint.name!r} is {one.state}: it cannot answer",
                hint=_next(one.state),
            )
    return None


def notes(endpoint: Endpoint, deployment: str = "", *, timeout_s: float | None = None) -> list[str]:
    """What does not forbid a run and should be known: updates, private networks, a time-out below the model's own."""
    found = []
    if endpoint.state == "Updating":
        found.append(f"endpoint {endpoint.name!r} is being updated: what is measured may change on the way")
    if endpoint.network_access == "Disabled":
        found.append(
            f"endpoint {endpoint.name!r} has public network access disabled: it answers in its private network only"
        )
    if endpoint.mirror_traffic:
        shares = ", ".join(f"{percent} % to {name}" for name, percent in endpoint.mirror_traffic)
        found.append(f"endpoint {endpoint.name!r} mirrors traffic ({shares}): the copies are load as well")
    if endpoint.deployments is None and endpoint.state:
        found.append(f"endpoint {endpoint.name!r} has deployments that may not be listed: their states are not known")
    for one in measured(endpoint, deployment):
        if one.state == "Updating":
            found.append(f"deployment {one.name!r} is being updated: what is measured may change on the way")
        if timeout_s is not None and one.request_timeout_s is not None and timeout_s < one.request_timeout_s:
            found.append(
                f"--timeout {timeout_s:g}s is below the {one.request_timeout_s:g} s that {one.name!r} may take"
                ": requests are given up that it would have answered"
            )
    return found


def measured(endpoint: Endpoint, deployment: str) -> tuple[Deployment, ...]:
    """The deployments that requests reach: the pinned one, else those with traffic; none when that is not known."""
    taking = {name for name, percent in endpoint.traffic if percent > 0}
    return tuple(
        one
        for one in endpoint.deployments or ()
        if (one.name.lower() == deployment.lower() if deployment else one.name in taking)
    )


def preflight(endpoints: Iterable[Endpoint], deployment: str, timeout_s: float) -> list[str]:
    """The notes on every endpoint of a run. Raises the first obstacle."""
    found = []
    for endpoint in endpoints:
        if (error := obstacle(endpoint, deployment)) is not None:
            raise error
        found += notes(endpoint, deployment, timeout_s=timeout_s)
    return found


def _next(state: str) -> str:
    """What to do about a state."""
    return {
        "Creating": "wait until it is Succeeded",
        "Deleting": "it will be gone in a moment: name another",
        "Canceled": "deploy it again",
        "Failed": "see its deployment logs, and deploy it again",
    }.get(state, "wait until it is Succeeded")
