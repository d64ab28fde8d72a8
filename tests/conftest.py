"""What holds for every test: none is judged by how fast this machine is, nor by the dice.

Properties are tried with the same examples every time; `make explore` tries new ones.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("new examples", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same examples", settings.get_profile("new examples"), derandomize=True)
settings.load_profile("same examples")
