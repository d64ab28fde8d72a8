"""Score with a key: `locust -f locustfiles/key.py`, or `bench run`."""

from bench.load.user import ScoringUser


class KeyUser(ScoringUser):
    """Authorization: Bearer <key>; a rotated key is listed again and the request replayed."""

    auth_modes = ("key",)
