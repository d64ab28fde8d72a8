"""What can be seen and started from outside while Locust goes on: its web UI, guarded, with a tab of our own. Edge."""
