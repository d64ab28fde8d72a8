"""Score in whatever auth mode the endpoint has: `bench run --endpoint NAME`, or `locust -f locustfiles/own_mode.py`."""

from bench.load.user import ScoringUser


class OwnModeUser(ScoringUser):
    """`--auth-mode` says otherwise; without an endpoint to ask it is a key."""

    auth_modes = ()
