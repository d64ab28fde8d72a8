"""What the harness adds to Locust's web UI: the Auth tab. Edge; called by `load.user` once a process."""
