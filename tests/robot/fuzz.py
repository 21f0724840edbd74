"""Thousands of damaged robot descriptions: each is a robot that agrees with Pinocchio or MuJoCo, or an error of diffkin.

    python -m tests.robot.fuzz --urdf 10000 --mjcf 5000 --seed 1     try cases; a fresh seed if none is given
    python -m tests.robot.fuzz --show mjcf:17 --seed 1               the files of one case

A case fails if anything but ``diffkin.errors`` escapes, if it takes more than five seconds of the processor or a
gigabyte, if a robot's poses are not those of the judge, or if one side loads what the other refuses for a reason that
is not listed in ``fuzzing/reasons.py``. It ends with 1 if any case fails.
"""

from __future__ import annotations

import argparse
import collections
import json
import queue
import secrets
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.robot.fuzzing.child import KINDS, files_of
from tests.robot.fuzzing.reasons import reason

__all__ = ["Report", "run"]

ROOT = Path(__file__).parents[2]
CHUNK = 500
"""Cases of one process."""
PATIENCE = 600.0
"""Without a line from a process for so long, it hangs [s of the clock; much, since other programs may run]."""


@dataclass
class Report:
    """What became of the cases.

    Attributes:
        kind: "urdf" or "mjcf".
        seed: Of the cases.
        counts: How many ended in which way.
        kinds: Of those where one side refuses, how many for which reason.
        faults: Case and what is wrong.
        slowest: Most time of the processor that a load took [s].
    """

    kind: str
    seed: int
    counts: collections.Counter[str] = field(default_factory=collections.Counter)
    kinds: collections.Counter[str] = field(default_factory=collections.Counter)
    faults: list[tuple[int, str]] = field(default_factory=list)
    slowest: float = 0.0

    def text(self) -> str:
        """The report as it is printed."""
        lines = [f"{self.kind}: {sum(self.counts.values())} cases of seed {self.seed}, slowest {self.slowest:.2f} s"]
        lines += [f"  {count:6d}  {what}" for what, count in self.counts.most_common()]
        lines += [f"  {count:6d}    {why}" for why, count in self.kinds.most_common() if count]
        lines += [f"  FAULT {self.kind}:{case} --seed {self.seed}: {fault}" for case, fault in self.faults]
        return "\n".join(lines)


def run(kind: str, count: int, seed: int, progress: bool = False) -> Report:
    """Try ``count`` cases, in processes of their own, and judge them."""
    report = Report(kind, seed)
    first = 0
    while first < count:
        began, known = time.monotonic(), len(report.faults)
        first = _run_chunk(report, first, min(count, first + CHUNK))
        if progress:
            print(
                "".join(f"FAULT {kind}:{case} --seed {seed}: {fault}\n" for case, fault in report.faults[known:]),
                end="",
            )
            print(
                f"{kind}: {first} of {count}, {len(report.faults)} faults, {time.monotonic() - began:.0f} s", flush=True
            )
    return report


def _run_chunk(report: Report, first: int, last: int) -> int:
    """Let a process try cases until it is done or dies; return where to go on."""
    command = [sys.executable, "-m", "tests.robot.fuzzing.child", report.kind, *map(str, (report.seed, first, last))]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    readers = [threading.Thread(target=lambda: [lines.put(line) for line in (*process.stdout, "")], daemon=True)]
    readers[0].start()
    case, ours = -1, None
    hangs = False
    while True:
        try:
            line = lines.get(timeout=PATIENCE)
        except queue.Empty:
            hangs = True
            process.kill()
            line = ""
        if not line:
            break
        entry = json.loads(line)
        case = entry["case"]
        if "begins" in entry:
            ours = None
        elif "ours" in entry:
            ours = entry["ours"]
            report.slowest = max(report.slowest, ours["seconds"])
        else:
            _note(report, case, ours, entry)
            ours = None
            if case == last - 1:
                process.wait()
                return last
    code = process.wait()
    errors = process.stderr.read()
    if case < 0:
        raise RuntimeError(f"The process that tries cases does not start ({code}):\n{errors}")
    how = "it hangs" if hangs else "it took too long" if code == -signal.SIGXCPU else f"the process died ({code})"
    if ours is None:
        report.counts["faults"] += 1
        report.faults.append((case, how))
    else:
        _note(report, case, ours, {"died": how})
    return case + 1


def _note(report: Report, case: int, ours: dict[str, Any], entry: dict[str, Any]) -> None:
    """Count a case, or note what is wrong with it."""
    fault, what = ours["fault"], ""
    if "died" in entry:
        what = "not judged: " + ("diffkin loads it" if ours["loads"] else "refused")
        report.kinds[f"the judge: {entry['died']}"] += 1
    elif "refused" in entry:
        what = "refused by the judge alone" if ours["loads"] else "refused by both"
        if ours["loads"]:
            why = reason(report.kind, "judge", entry["refused"], files_of(report.kind, report.seed, case))
            fault = fault or ("" if why else f"only the judge refuses: {entry['refused'][:600]!r}")
            report.kinds[f"the judge refuses: {why}"] += bool(why)
    elif ours["loads"]:
        what = "agrees"
        fault = fault or entry["gap"]
    else:
        what = "refused by diffkin alone"
        why = reason(report.kind, "diffkin", ours["message"], {})
        fault = fault or ("" if why else f"only diffkin refuses: {ours['message'][:600]!r}")
        report.kinds[f"diffkin refuses: {why}"] += bool(why)
    report.counts["faults" if fault else what] += 1
    if fault:
        report.faults.append((case, fault))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for kind in KINDS:
        parser.add_argument(f"--{kind}", type=int, default=0, help="how many cases")
    parser.add_argument("--seed", type=int, default=None, help="of the cases; fresh and printed if left out")
    parser.add_argument("--show", default="", help="print the files of a case, such as mjcf:17")
    asked = parser.parse_args()
    seed = secrets.randbelow(10**9) if asked.seed is None else asked.seed
    print(f"seed {seed}", flush=True)
    if asked.show:
        kind, _, index = asked.show.partition(":")
        for name, text in files_of(kind, seed, int(index)).items():
            print(f"--- {name}\n{text}")
        return
    reports = [run(kind, getattr(asked, kind), seed, progress=True) for kind in KINDS if getattr(asked, kind)]
    print("\n".join(report.text() for report in reports))
    sys.exit(any(report.faults for report in reports))


if __name__ == "__main__":
    main()
