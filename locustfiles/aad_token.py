"""Score with a Microsoft Entra token: `locust -f locustfiles/aad_token.py`, or `bench run --auth-mode aad_token`."""

from bench.load.user import ScoringUser


class AadTokenUser(ScoringUser):
    """Authorization: Bearer <aad_token>, for https://ml.azure.com, renewed at half of its life."""

    auth_modes = ("aad_token",)
