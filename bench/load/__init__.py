"""The load engine: the arrival clock, the wire and the recorder, inside Locust's greenlets.

arrivals, outcome                      pure: when requests are due; how an answer is classified
pacer, hub_watch, deadlines, wire,     edges on the gevent hub: waking on time, doubting the hub, giving up,
recorder                               speaking HTTP/1.1, writing samples
dispatch, exchange                     the hot path: who sends the next arrival; one request's life
target, session, user, progress        what Locust sees: options, life cycle, ScoringUser
"""
