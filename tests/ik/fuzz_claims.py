"""Random targets for inverse kinematics, every claim of success judged by Pinocchio's reading of the same URDF.

    python -m tests.ik.fuzz_claims --targets 2000000 --seed 1

Ten mechanisms, float64 and float32, poses and positions, with and without a first guess, tolerances from 1e-3 to 1e-9
(1e-5 for float32), reachable targets and others, by the kernels and, for one target in fifty, by torch. A claim is false
if an error exceeds its tolerance; a violation is a coordinate outside the limits, claimed or not. Near the tolerance
claims are judged in extended precision. Exits with 1 if there is either.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

import diffkin as dk
from tests.ik.fuzz_mechanisms import Array, Judge, judge_of, texts

BATCH = {"kernel": 2000, "torch": 40}
TORCH_SHARE = 50
OUT_OF_REACH = 0.1


class Case(NamedTuple):
    """One call of ``solve_ik``, to be made again from what is printed."""

    mechanism: str
    dtype: str
    route: str
    kind: str
    position_tolerance: float
    rotation_tolerance: float
    guessed: bool
    nearest_of: int
    max_restarts: int
    seed: int


def cases(targets: int, seed: int) -> Iterator[tuple[Case, int]]:
    """Calls and their numbers of targets."""
    draw = np.random.default_rng(seed)
    names = list(texts())
    for name in names:
        for dtype in ("float64", "float32"):
            for route, share in (("kernel", 1.0), ("torch", 1.0 / TORCH_SHARE)):
                left = max(1, round(targets * share / (2 * len(names))))
                while left:
                    count = min(left, BATCH[route])
                    left -= count
                    finest = -9.0 if dtype == "float64" else -5.0
                    position, rotation = 10.0 ** draw.uniform(finest, -3.0, 2)
                    guessed = bool(draw.random() < 0.5)
                    several = 3 if guessed and draw.random() < 0.2 else 1
                    kind = "position" if draw.random() < 0.2 else "pose"
                    restarts = int(draw.integers(0, 20 if route == "kernel" else 3))
                    numbers = (float(position), float(rotation), guessed, several, restarts, int(draw.integers(2**31)))
                    yield Case(name, dtype, route, kind, *numbers), count


def targets_of(judge: Judge, count: int, draw: np.random.Generator) -> tuple[Array, Array]:
    """Poses (count, 4, 4) and whether each is reachable: of random coordinates, some then moved far out or away."""
    R, p = judge.poses(judge.sample(count, draw))
    T = np.tile(np.eye(4), (count, 1, 1))
    T[:, :3, :3], T[:, :3, 3] = R, p
    reachable = draw.random(count) >= OUT_OF_REACH
    out = ~reachable
    T[out, :3, 3] = T[out, :3, 3] * draw.uniform(0.5, 10.0, (out.sum(), 1)) + draw.normal(0.0, 0.3, (out.sum(), 3))
    return T, reachable


def judged(judge: Judge, case: Case, q: Array, T: Array, claimed: Array) -> tuple[Array, Array]:
    """Which claims are false, and which coordinates lie outside the limits."""
    outside = ~((q >= judge.lower) & (q <= judge.upper) & np.isfinite(q)).all(1)
    tolerances = np.array([case.position_tolerance, case.rotation_tolerance if case.kind == "pose" else np.inf])
    errors = np.stack(judge.errors(q, T), 1)
    false = claimed & ~(errors <= tolerances).all(1)
    close = claimed & (errors > 0.99 * tolerances).any(1)
    if close.any():
        exact = np.stack(judge.errors(q[close].astype(np.longdouble), T[close]), 1)
        false[close] = ~(exact <= tolerances).all(1)
    return false, outside


def run(targets: int, seed: int, only: str | None = None) -> tuple[dict[tuple[str, str, str], Counter[str]], list[str]]:
    """Counts by mechanism, dtype and route, and a line on each call with a false claim or a violation."""
    robots = {}
    for name, (urdf, tip) in texts().items():
        robot = dk.load_robot(urdf, tip=tip)
        robots[name] = robot, judge_of(urdf, tip, tuple(robot.joint_names))
    counts: dict[tuple[str, str, str], Counter[str]] = {}
    bad = []
    for case, count in cases(targets, seed):
        if only is not None and case.mechanism != only:
            continue
        robot, judge = robots[case.mechanism]
        dtype = getattr(torch, case.dtype)
        if case.dtype == "float32":
            robot, judge = robot.to(dtype), judge.rounded(np.float32)
        draw = np.random.default_rng(case.seed)
        T, reachable = targets_of(judge, count, draw)
        given = torch.from_numpy(T).to(dtype)
        guess = torch.from_numpy(judge.sample(count, draw)).to(dtype) if case.guessed else None
        result = dk.solve_ik(
            robot,
            given if case.kind == "pose" else dk.ik.PositionTask(None, given[:, :3, 3].contiguous()),
            guess,
            position_tolerance=case.position_tolerance,
            rotation_tolerance=case.rotation_tolerance,
            nearest_of=case.nearest_of,
            max_restarts=case.max_restarts,
            seed=case.seed % 1000,
            backend="reference" if case.route == "torch" else None,
        )
        q, claimed = result.q.double().numpy(), result.success.numpy()
        false, outside = judged(judge, case, q, given.double().numpy(), claimed)
        row = counts.setdefault((case.mechanism, case.dtype, case.route), Counter())
        row.update(
            targets=count,
            claims=int(claimed.sum()),
            false=int(false.sum()),
            violations=int(outside.sum()),
            reachable=int(reachable.sum()),
            missed=int((reachable & ~claimed).sum()),
        )
        if false.any() or outside.any():
            errors = np.stack(judge.errors(q.astype(np.longdouble), given.double().numpy()), 1)
            worst = np.abs(errors[false]).max(0) if false.any() else ""
            bad.append(f"{int(false.sum())} false {worst}, {int(outside.sum())} outside: {case}, {count} targets")
    return counts, bad


COLUMNS = ("targets", "claims", "false", "violations", "reachable", "missed")


def table(counts: dict[tuple[str, str, str], Counter[str]]) -> str:
    """The counts, a row each, and their sums."""
    total: Counter[str] = Counter()
    lines = [f"{'mechanism':<18}{'dtype':<9}{'route':<8}" + "".join(f"{name:>12}" for name in COLUMNS)]
    for (mechanism, dtype, route), row in counts.items():
        total.update(row)
        lines.append(f"{mechanism:<18}{dtype:<9}{route:<8}" + "".join(f"{row[name]:>12}" for name in COLUMNS))
    return "\n".join([*lines, f"{'all':<35}" + "".join(f"{total[name]:>12}" for name in COLUMNS)])


def main() -> int:
    """Run, print the table, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=list(texts()), help="one mechanism; its calls are those of the whole run")
    arguments = parser.parse_args()
    counts, bad = run(arguments.targets, arguments.seed, arguments.only)
    print(table(counts))
    print(*bad, sep="\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
