"""Is what the harness reports true on this machine? Its own times against the emulator's, request by request.

truth    pure: joins samples with the emulator's records, and says how far each quantile is off
table    pure: rows to text, markdown and JSON
bench_run, scenarios, known_effects   edges: runs of the harness, held on one core, against emulators on the other
costs    edge: what reading a lease and recording a sample take by themselves
peers, peer_tools, plain_server       edges: other tools beside it, and a server that answers at once
"""
