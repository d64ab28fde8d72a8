"""Several runs of one plan as one result: the run is the unit, and intervals are those between runs.

arguments   ·  the options that ask for a set, and what they make
member      ·  a run of a set: its summary, or why it is left out
combine     ·  the summaries of the runs as one summary of the same shape, with `runs`
over_runs   ·  figures of several runs as one with the interval between them; stream_figures: those of streamed answers
precision   ·  `--until`: whether the interval between runs is narrow enough, honest about looking often
folder      !  where a set's files are, and its members as they can be read
loop        !  run after run, until there are enough or one of them ends the set
judge       !  what follows: summary, gates, report, exit code
"""
