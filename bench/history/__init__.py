"""Runs over time: one small line a run, and the lasting shifts between them.

entry           ·  one run as a line: its figures, what was measured, on what, at which commit
change_points   ·  where a series of runs shifted for good
shift_test      ·  do two stretches of runs differ, where runs resemble the one before
watch           ·  the watched figures of a history, their change points, and whether the newest is for the worse
page            ·  a sparkline and a page of SVG
places          !  where a history is kept: a folder, or an MLflow experiment
lines           !  its lines, wherever they lie: typed, damaged ones reported
ledger          !  in a folder: append-only JSONL
mlflow/            in an experiment: a run for each line
adding          !  a run's line: its commit and branch
"""
