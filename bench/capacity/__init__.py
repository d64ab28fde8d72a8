"""How much load holds an objective: probes of rising rate, then bisection.

search      pure: which rate to try next, given what was found
probe       how long a probe has to be, and what it says of its rate
measure     edge: runs the load engine for one probe
loop        probe until the search is over, and the answer in a sentence
stability   pure: whether the target kept up, or a backlog grew
draw        edge: matplotlib; latency against rate, and the knee
"""
