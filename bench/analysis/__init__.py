"""The statistics of a run: pure functions from a `LoadedRun` to figures. numpy only; no file, no clock.

run             LoadedRun, Samples: what everything below is folded over
quantiles       exact quantiles
fold            one sort of a duration, from which figures, intervals and comparisons follow
blocks          time cut into blocks that are long enough to be nearly independent
bootstrap       intervals of quantiles and means from those blocks
rates           intervals of shares
own_intervals   a variant's own figures with their intervals
verdicts        what the interval of a difference says
compare         one variant against another
diff            stored runs against stored runs
decompose       where a difference comes from; refresh_time: around refreshes against quiet time
auth_failures   how many requests were refused and why, and what the refreshes did
series          the figures over time that plots draw
trust           whether the run can be believed, from its evidence (and backlog: whose fault lateness is)
figures         the blocks of figures that variants and their parts share
parts           classes of requests, deployments, stages of the load
summary         all of it as the JSON of summary.json
calibration     whether the intervals keep their promise, in simulated scenarios
"""
