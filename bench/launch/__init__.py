"""How a run is started, waited for and followed up: Locust as a child process, then summary, gates and report."""
