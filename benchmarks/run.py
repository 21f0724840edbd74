"""Run the benchmarks: ``python -m benchmarks.run``. Writes JSON and plots, prints tables."""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

import diffkin
from benchmarks import cuda, inverse, kinematics, peers, plots, process, report, where
from diffkin.kernels.threads import get_num_threads

__all__ = ["SECTIONS", "main", "run"]

SECTIONS: dict[str, Callable[[], Any]] = {
    "single": kinematics.single,
    "batches": kinematics.batches,
    "ik_one": inverse.one_target,
    "ik_batch": inverse.batch,
    "ik_tight": inverse.tight_limits,
    "where_fk": where.kinematics_shares,
    "where_ik": where.inverse_shares,
    "over_batch": kinematics.over_batch,
    "over_joints": kinematics.over_joints,
    "import": process.import_times,
    "warm_start": process.warm_start,
    "memory": process.memory,
    "compile": process.compile_times,
    "cuda": cuda.measure,
}


def run(sections: dict[str, Callable[[], Any]], folder: Path, console: Console) -> dict[str, Any]:
    """Run sections, add them to what the folder's ``benchmarks.json`` holds, write it, the table and the plots.

    Args:
        sections: What to run, by name.
        folder: Where results lie and go.
        console: Where to print.

    Returns:
        All results.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "benchmarks.json"
    results = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    results["machine"] = _machine()
    results["peers"] = peers.installed()
    for name, measure in sections.items():
        begin = time.perf_counter()
        load = os.getloadavg()[0]
        results[name] = measure()
        took = time.perf_counter() - begin
        results.setdefault("taken", {})[name] = {
            "seconds": took,
            "load_before": load,
            "at": time.strftime("%Y-%m-%d %H:%M"),
        }
        results["goals"] = report.goals(results)
        file.write_text(json.dumps(results, indent=1), encoding="utf-8")
        console.print(f"{name}: {took:.1f} s")
    report.show(results, console)
    with (folder / "benchmarks.txt").open("w", encoding="utf-8") as text:
        report.show(results, Console(file=text, width=120))
    for path in plots.draw(results, folder):
        console.print(f"wrote {path}")
    return results


def _machine() -> dict[str, Any]:
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        named = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        processor = named[0] if named else processor
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "diffkin_threads": get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "diffkin": diffkin.__version__,
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(SECTIONS), help=f"sections, comma-separated: {', '.join(SECTIONS)}")
    parser.add_argument(
        "--output", type=Path, default=Path("outputs/benchmarks"), help="folder of results; runs add to it"
    )
    arguments = parser.parse_args()
    names = arguments.only.split(",")
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        parser.error(f"no section {', '.join(unknown)}; choose from {', '.join(SECTIONS)}")
    run({name: SECTIONS[name] for name in names}, arguments.output, Console())


if __name__ == "__main__":
    main()
