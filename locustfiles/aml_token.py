"""Score with an Azure ML token: `locust -f locustfiles/aml_token.py`, or `bench run --auth-mode aml_token`."""

from bench.load.user import ScoringUser


class AmlTokenUser(ScoringUser):
    """Authorization: Bearer <aml_token>, fetched once for all users and renewed before it expires."""

    auth_modes = ("aml_token",)
