"""One module a `bench` command: its arguments, and what it calls. Edges."""
