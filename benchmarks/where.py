"""Where the time goes: the share of the machine's arithmetic peak, and what remains when parts are left out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

import diffkin as dk
from benchmarks import models
from benchmarks.timing import interleaved
from diffkin.ik.kernel_route import program_of, settings_of
from diffkin.ik.options import make_options
from diffkin.kernels.compiled import kernel
from diffkin.kernels.ik.program import errors
from diffkin.kernels.ik.targets import ready_targets
from diffkin.kernels.threads import get_num_threads, run_batch, run_chunks
from diffkin.kernels.tree.block import MOTION
from diffkin.kernels.tree.mechanism import PRISMATIC, REVOLUTE
from diffkin.kernels.tree.plan import (
    BASE,
    DENAVIT,
    FORM,
    GENERAL,
    HAS_SHIFT,
    HAS_TURN,
    KIND,
    QUARTER,
    SOURCE,
    STRAIGHT,
    Plan,
    make_plan,
)
from diffkin.kernels.tree.walk import advance, identity, motions
from diffkin.kernels.vectors.lanes import VECTOR_BYTES, fma, load, pointer, scratch, splat, store, width
from diffkin.kernels.vectors.sines import sincos_table

__all__ = ["forward_flops", "inverse_shares", "kinematics_shares", "measure_peak"]

_SINCOS_FLOPS = 27  # of sincos_vector in float32: 5 for the nearest quarter, 6 for the remainder, 16 in the polynomials


@kernel
def _multiply_adds(out, rounds, start, stop):
    """Ten independent chains of fused multiply-adds: as many as hide the latency, few enough for the registers."""
    for place in range(start, stop):
        x, y = splat(out, 0.999), splat(out, 0.001)
        a, b, c, d, e = splat(out, 0.1), splat(out, 0.2), splat(out, 0.3), splat(out, 0.4), splat(out, 0.5)
        f, g, h, i, j = splat(out, 0.6), splat(out, 0.7), splat(out, 0.8), splat(out, 0.9), splat(out, 1.1)
        for _ in range(rounds):
            a, b, c, d, e = fma(a, x, y), fma(b, x, y), fma(c, x, y), fma(d, x, y), fma(e, x, y)
            f, g, h, i, j = fma(f, x, y), fma(g, x, y), fma(h, x, y), fma(i, x, y), fma(j, x, y)
        store(out, place, a + b + c + d + e + f + g + h + i + j)


def measure_peak(rounds: int = 200_000, repeats: int = 7) -> float:
    """float32 operations a second that fused multiply-adds reach on all threads together, each counted as two."""
    threads = get_num_threads()
    out = np.empty(VECTOR_BYTES * threads, np.float32)

    def run() -> None:
        run_chunks(lambda start, stop: _multiply_adds(out, rounds, start, stop), threads, 1)

    return 2 * 10 * rounds * (VECTOR_BYTES // 4) * threads / interleaved({"peak": run}, repeats)["peak"]


def forward_flops(plan: Plan) -> int:
    """Floating-point operations of forward kinematics of one configuration, counted along the plan.

    A fused multiply-add counts as two; rearranging lanes, selecting and storing count as none.
    """
    count = 0
    for row in plan.integers:
        form, kind = row[FORM], row[KIND]
        if row[SOURCE] != BASE:  # three rows times the constant transform; after the base there is nothing to multiply
            count += 3 * {GENERAL: 21, DENAVIT: 10, QUARTER: 4, STRAIGHT: 4}[int(form)]
        if kind in (REVOLUTE, PRISMATIC):
            count += 2  # multiplier and offset
        if kind == REVOLUTE:
            count += _SINCOS_FLOPS + 3 * 6 + (6 if row[HAS_TURN] else 0)
        elif kind == PRISMATIC or row[HAS_TURN]:
            count += 6 if kind == PRISMATIC else 18
        count += 6 if row[HAS_SHIFT] else 0
    return count


@kernel
def _without_stores(integers, reals, q, sink, products, start, stop):
    """Forward kinematics up to sine and cosine, and with ``products`` up to the pose, nothing written but one sum."""
    lanes = width(q)
    nodes, dof = integers.shape[0], q.shape[1]
    table = sincos_table(q)
    columns, motion, kept = scratch(q, dof * lanes), scratch(q, nodes * MOTION * lanes), scratch(q, lanes)
    i, r, q_from = pointer(integers), pointer(reals), pointer(q)
    total = splat(q, 0.0)
    for block in range(start, stop - lanes + 1, lanes):
        motions(i, r, nodes, q_from, block, dof, table, columns, motion)
        if products:
            pose = identity(q)
            for node in range(nodes):
                pose = advance(i, r, node, motion, kept, q_from, 0, -1, pose)
            x0, y0, z0, p0, x1, y1, z1, p1, x2, y2, z2, p2 = pose
            total = total + x0 + y0 + z0 + p0 + x1 + y1 + z1 + p1 + x2 + y2 + z2 + p2
        else:
            for node in range(nodes):
                total = total + load(motion, node * MOTION) + load(motion, node * MOTION + 1)
    store(sink, start // lanes, total)


def kinematics_shares(count: int = 100_000, repeats: int = 9, peak_rounds: int = 200_000) -> dict[str, Any]:
    """Forward kinematics of kuka_iiwa in float32: seconds with parts left out, and the share of the peak.

    The kernel itself is run as far as sine and cosine, then as far as the pose in registers, then whole; the
    differences are what the parts cost. The whole public call is timed beside it, and writing the same bytes alone.
    """
    from diffkin.kernels.tree.forward import forward
    from diffkin.kinematics.dispatch import mechanism

    model = models.load_model("kuka_iiwa")
    robot = model.robot.to(dtype=torch.float32)
    plan = make_plan(mechanism(robot.tree), [robot.link_index(None)], np.float32)
    q = robot.sample(count, seed=1)
    array, out, sink = q.numpy(), np.empty((count, 1, 4, 4), np.float32), np.empty(count + 64, np.float32)

    def part(products: int) -> None:
        run_batch(_without_stores, (plan.integers, plan.reals, array, sink, products), count, plan.grain)

    seconds = interleaved(
        {
            "sine and cosine": lambda: part(0),
            "and products": lambda: part(1),
            "and writing": lambda: forward(plan, array, None, out),
            "public call": lambda: robot.forward_kinematics(q),
            "writing the same bytes": lambda: out.fill(0.0),
        },
        repeats,
    )
    peak, flops = measure_peak(peak_rounds), forward_flops(plan)
    whole = seconds["public call"]
    return {
        "robot": "kuka_iiwa",
        "batch": count,
        "seconds": seconds,
        "shares": {
            "sine and cosine, reading q": seconds["sine and cosine"] / whole,
            "products of transforms": (seconds["and products"] - seconds["sine and cosine"]) / whole,
            "writing poses to memory": (seconds["and writing"] - seconds["and products"]) / whole,
            "checks and new memory of the public call": (whole - seconds["and writing"]) / whole,
        },
        "flops_each": flops,
        "peak_flops_per_second": peak,
        "share_of_peak": flops * count / whole / peak,
        "share_of_peak_without_memory": flops * count / seconds["and products"] / peak,
    }


def inverse_shares(count: int = 10_000, repeats: int = 5) -> dict[str, Any]:
    """IK of kuka_iiwa to 1e-6: seconds a target in checking targets, finding starts, iterating and judging."""
    model = models.load_model("kuka_iiwa")
    robot = model.robot
    _, targets = models.problems(model, count)
    poses = torch.from_numpy(targets)
    found = dk.solve_ik(robot, poses)
    q = found.q.numpy()
    options = make_options(robot.dtype)
    program = program_of(robot, robot.link_index(None))
    call = program.call(settings_of(options, (1.0,) * 6, False))
    single = robot.to(dtype=torch.float32)
    q32 = found.q.float()
    seconds = interleaved(
        {
            "whole": lambda: dk.solve_ik(robot, poses),
            "one iteration from one start": lambda: dk.solve_ik(robot, poses, max_restarts=0, max_iterations=1),
            "two iterations from one start": lambda: dk.solve_ik(robot, poses, max_restarts=0, max_iterations=2),
            "checking targets": lambda: ready_targets(targets, 1e-5),
            "judging, one thread": lambda: errors(call, targets, q),
            "one Jacobian, float32": lambda: single.jacobian(q32),
        },
        repeats,
        0.0,
    )
    iterations = float(found.iterations.double().mean())
    evaluations = iterations + 1.0 + float(found.restarts.double().mean())  # each start is looked at before its steps
    each = {name: value / count for name, value in seconds.items()}
    judging = each["judging, one thread"] / get_num_threads()
    step = max(each["two iterations from one start"] - each["one iteration from one start"], 0.0)
    # a start and the last from where it ended are looked at and take a step each: as much as two steps more
    lookup = each["one iteration from one start"] - 2.0 * step - judging - each["checking targets"]
    iterating = each["whole"] - lookup - judging - each["checking targets"]
    jacobians = min(1.0, each["one Jacobian, float32"] * evaluations / iterating)
    return {
        "robot": "kuka_iiwa",
        "batch": count,
        "seconds_each": each,
        "iterations_mean": iterations,
        "seconds_an_iteration": iterating / evaluations,
        "shares": {
            "checking targets": each["checking targets"] / each["whole"],
            "finding starts": lookup / each["whole"],
            "iterating: poses and Jacobians": jacobians * iterating / each["whole"],
            "iterating: linear algebra, limits, lanes kept busy": (1 - jacobians) * iterating / each["whole"],
            "judging in float64": judging / each["whole"],
        },
        "sum_of_shares_is_one": math.isclose(lookup + judging + each["checking targets"] + iterating, each["whole"]),
    }
