"""Drills: faults that really happen, let loose on a run against the emulator, and what they cost.

catalogue · drill ·     what happens when, and what is expected of the run
evidence ·              what is known afterwards: attempts, flights, calls and refusals in one time
findings · goals ·      what it amounts to, and whether that is good enough
runner ! rig !          one drill carried out: an emulator, a Locust, a few signals
"""
