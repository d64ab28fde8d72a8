"""The product as a user meets it: real commands, real processes, a real browser."""
