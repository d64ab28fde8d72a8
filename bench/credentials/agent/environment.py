"""What the agent finds in its environment: what signing in may need, and nothing else. Pure.

Sources: azure-identity's README ("Environment variables") and `_constants.py`; azure-ai-ml's cloud variables; what
`az`, `azd` and Azure PowerShell read. Whatever else stands in a CI job's environment is no business of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping

_IDENTITY = (
    *("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH"),
    *("AZURE_CLIENT_CERTIFICATE_PASSWORD", "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", "AZURE_USERNAME", "AZURE_PASSWORD"),
    *("AZURE_AUTHORITY_HOST", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_TOKEN_CREDENTIALS"),
    *("AZURE_REGIONAL_AUTHORITY_NAME", "AZURE_IDENTITY_DISABLE_MULTITENANTAUTH"),
    *("AZURE_POD_IDENTITY_AUTHORITY_HOST", "IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IDENTITY_SERVER_THUMBPRINT"),
    *("IMDS_ENDPOINT", "MSI_ENDPOINT", "MSI_SECRET", "DEFAULT_IDENTITY_CLIENT_ID"),
    *("AZURE_KUBERNETES_SNI_NAME", "AZURE_KUBERNETES_TOKEN_PROXY"),
    *("AZURE_KUBERNETES_CA_FILE", "AZURE_KUBERNETES_CA_DATA"),
)
_PROGRAMS = (
    *("PATH", "HOME", "USER", "LOGNAME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "ProgramData", "SystemRoot"),
    *("SYSTEMROOT", "COMSPEC", "PATHEXT", "TMPDIR", "TEMP", "TMP", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH"),
    *("AZURE_CONFIG_DIR", "AZD_CONFIG_DIR", "AZURE_EXTENSION_DIR", "PSModulePath"),
    *("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"),
)
_NETWORK = (
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"),
)
_CLOUD = ("ARM_CLOUD_METADATA_URL",)
_NAMES = frozenset(_IDENTITY + _PROGRAMS + _NETWORK + _CLOUD)
_PREFIX = "AZUREML_"
"""azure-ai-ml's own; Azure ML compute sets them."""


def needed_to_sign_in(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of `environment` that is handed on."""
    return {name: value for name, value in environment.items() if name in _NAMES or name.startswith(_PREFIX)}
