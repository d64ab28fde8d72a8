"""Is what the harness reports true on this machine? Its own times against the emulator's, request by request.

truth    pure: joins samples with the emulator's records, and says how far each quantile is off
table    pure: rows to text, markdown and JSON
bench_run, peers     edges: the harness, and other tools, run on one core against a server on the other
"""
