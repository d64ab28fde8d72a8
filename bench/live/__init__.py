"""What can be seen of a run while it goes on: the terminal; Locust's web UI, guarded. Edges, all fed by one `View`."""
