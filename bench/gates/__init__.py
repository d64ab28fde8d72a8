"""Gates: rules a run must keep, and the answers CI asks for. Pure but for the edges marked with `!`.

metrics          what a gate can be about
gate             Gate and its parts; whether a run can answer it (`check`)
expression       the grammar, and `parse`
settings       ! gates from --gate, bench.toml or pyproject.toml (`find_gates`)
measure          a gate's figure in a summary; `uncertainty` says how sure it is
evaluate         `evaluate` a summary, `exit_code`; `result` and `sentence` are what comes out
extend           whether to go on (`needs_more`) or to give up (`hopeless`)
baseline       ! accepted summaries: `save`, `load`, `refuse_unlike`, `caveats`
junit github azure_pipelines    results as text for CI
publish        ! reports to the CI server that is running us
"""
