"""How much load holds an objective: probes of rising rate, then bisection.

search      pure: which rate to try next, given what was found
stability   pure: whether the target kept up, or a backlog grew
draw        edge: matplotlib; latency against rate, and the knee
"""
