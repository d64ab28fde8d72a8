"""What follows a set of runs: summary, gates, report, exit code. Edge: reads the runs, writes the set's files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.errors import RunInvalid, first_of
from bench.gates.arguments import Gates
from bench.gates.baseline import unlike, workload
from bench.launch.finish import conclude
from bench.numbers import plural
from bench.plan.reading import min_effect_ms_of
from bench.report import build
from bench.runreader import load_manifest
from bench.runset.combine import combine
from bench.runset.folder import SetDir, stored_member, summarised_member
from bench.runset.member import Member, believed
from bench.voice import PLAIN, Voice

_WHOLE = ("completed", "precise")


def finish_set(
    path: Path,
    *,
    gates: Gates,
    min_effect: str = "",
    code: int = 0,
    reported: bool = False,
    voice: Voice = PLAIN,
) -> int:
    """Report on the set in `path` from its runs' samples, judge it, and return the exit code.

    `code` is that of how it was made, where that was now. `reported`: its runs have just been summarised for these
    gates, so that their summaries count as they are. RunInvalid when no run of it can be believed.
    """
    folder = SetDir(path)
    asked, known = folder.asked(), folder.ended()
    members = members_of(folder, gates=gates, min_effect=min_effect, reported=reported)
    if not (counting := believed(members)):
        why = members[0].left_out if members else "there is none"
        raise RunInvalid(f"no run of the set in {path} can be believed: {why}", hint="measure again")
    wanted = len(members) if known == "precise" else asked["runs"]
    summary = combine(members, set_id=folder.set_id, asked=wanted, ended=known)
    intent = [f"Set {folder.set_id} · {plural(len(counting), 'run')} of {asked['runs']} · intervals are between runs"]
    manifest = manifest_of(folder, members)
    return conclude(
        folder.files,
        summary,
        manifest=manifest,
        gates=gates,
        write=lambda rows: build.write_set(path, summary, intent=intent, gates=rows),
        voice=voice,
        ended_with=first_of(code, 0 if known in _WHOLE else RunInvalid.exit_code),
    )


def members_of(folder: SetDir, *, gates: Gates, min_effect: str, reported: bool) -> list[Member]:
    """Its runs, summarised anew where they were not just now; a run of something else than the first is left out."""
    least_ms = min_effect_ms_of(min_effect) if min_effect else None
    members: list[Member] = []
    first: dict[str, Any] = {}
    for run in folder.folders():
        if reported and run.summary.exists():
            member = stored_member(run)
        else:
            member = summarised_member(run, deadlines_ms=gates.deadlines_ms, min_effect_ms=least_ms)
        if not member.left_out:
            measured = workload(load_manifest(run))
            first = first or measured
            if differing := unlike(first, measured):
                member = Member(run_id=run.run_id, unread=f"it measured something else: {differing[0]}")
        members.append(member)
    return members


def manifest_of(folder: SetDir, members: list[Member]) -> dict[str, Any]:
    """That of the first run that counts: the plan and the machine are those of all."""
    counting = next(member for member in members if not member.left_out)
    return load_manifest(next(run for run in folder.folders() if run.run_id == counting.run_id))
