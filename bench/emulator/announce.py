"""What the emulator says when it is ready: one JSON line for programs, a page for people. Pure."""

from __future__ import annotations

from typing import Any


def announcement(
    *,
    pid: int,
    urls: dict[str, str],
    scoring_uri: dict[str, str],
    scoring_uri_tls: dict[str, str],
    workspace: dict[str, str],
    endpoints: dict[str, str],
    entra: dict[str, str],
    identity_header: str,
    files: dict[str, str],
    timer: str,
) -> dict[str, Any]:
    """The ready line. `urls` holds arm, arm_tls, identity and admin; `files` ca_file, log and refusals.

    `env` is what a client made of azure-identity and azure-ai-ml needs in its environment.
    """
    return {
        "pid": pid,
        "control_plane": urls["arm"],
        "control_plane_tls": urls["arm_tls"],
        "scoring_uri": scoring_uri,
        "scoring_uri_tls": scoring_uri_tls,
        "admin": f"{urls['admin']}/admin",
        "workspace": workspace,
        "endpoints": endpoints,
        "env": {
            "AZUREML_DEV_URL_MFE": urls["arm"],
            "IDENTITY_ENDPOINT": f"{urls['identity']}/msi/token",
            "IDENTITY_HEADER": identity_header,
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        },
        "entra": entra,
        **files,
        "timer": timer,
    }


def for_people(said: dict[str, Any]) -> str:
    """The same as text to read, copy and paste."""
    lines = [
        f"Azure ML workspace emulated on loopback (pid {said['pid']}). Ctrl-C stops it.",
        "",
        f"  control plane   {said['control_plane']}   (TLS: {said['control_plane_tls']})",
        f"  admin           {said['admin']}",
    ]
    lines += [
        f"  {said['endpoints'][mode]:<15} {uri}   (TLS: {said['scoring_uri_tls'][mode]})"
        for mode, uri in said["scoring_uri"].items()
    ]
    lines += [
        f"  CA              {said['ca_file']}",
        f"  request log     {said['log']}",
        "",
        "To point azure-identity and azure-ai-ml here:",
        "",
        *(f"  export {name}={value}" for name, value in said["env"].items()),
        "",
        "and in the client: "
        + ", ".join(f"{name} {value}" for name, value in said["workspace"].items()).replace("_", " ")
        + ".",
    ]
    if said["timer"] != "timerfd":
        lines += ["", "No timerfd on this system: service times are good to about 1 ms only."]
    return "\n".join(lines)
