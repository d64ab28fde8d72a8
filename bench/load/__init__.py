"""The load engine, inside Locust's greenlets: user -> roles -> engine -> wire, never the other way.

wire      HTTP/1.1 over one connection, measured; knows no Locust and no run
engine    sends what is due and records what came of it; knows no Locust
roles     master, worker and sender; the life of a run in Locust
user      ScoringUser, the one door for locustfiles
"""
