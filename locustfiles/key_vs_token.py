"""Key against token in one run: `locust -f locustfiles/key_vs_token.py`, or `bench compare`."""

from bench.load.user import ScoringUser


class KeyVsTokenUser(ScoringUser):
    """Both variants interleaved in randomised pairs, so that whatever drifts hits both alike."""

    auth_modes = ("key", "aml_token")
