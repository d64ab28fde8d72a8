"""One master's leases for many workers: its two ends, their messages and the seal. Nothing is imported here."""
