"""The statistics of a run: pure functions from a `LoadedRun` to figures. numpy only; no file, no clock.

run            LoadedRun, Samples: what everything below is folded over
quantiles      exact quantiles and percentile curves with bands
series         the figures over time that plots draw
auth_failures  how many requests were refused, when and why
compare        one variant against another, with intervals and verdicts
decompose      where the difference comes from
trust          whether the run can be believed
summary        all of it as the JSON of summary.json
"""
