"""What people write once for many runs, and which of it counts: command line, environment, profile, file, default.

precedence  ·  which layer's value counts for each option, and where it came from
document    !  `bench.toml` or `[tool.bench]` as values, checked against its schema: all that is wrong in it
file        !  finding and reading those files
lines       ·  where a key stands in the text
secrets     ·  what must not stand in a file
"""
