"""An Azure ML workspace on loopback: control plane, identity and scoring, in a process of its own.

An island: it imports nothing else of `bench` and nobody imports it, so that a header the client gets
wrong cannot agree with itself. Started as `python -m bench.emulator`; what each module may touch is
said in its docstring. Pure here: settings, state, roles, tokens, faults, faultbook, service_time,
messages, routes, identity, admission, answers, announce. Edges: everything else.
"""
