"""The results beside what was to be reached, as tables for the terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

__all__ = ["goals", "show"]

Results = dict[str, Any]


def _batch(work: str) -> Callable[[Results], float]:
    def ratio(results: Results) -> float:
        table = results["batches"]["seconds"][work]
        return table["pytorch_kinematics"]["100000"] / table["diffkin"]["100000"]

    return ratio


def _backward(results: Results) -> float:
    table = results["batches"]["seconds"]["backward"]
    return table["diffkin"]["100000"] / table["diffkin, forward beside it"]["100000"]


def _ik(robot: str, what: str, factor: float) -> Callable[[Results], float]:
    return lambda results: results["ik_batch"][robot]["diffkin"][what] * factor


def _one(what: str) -> Callable[[Results], float]:
    return lambda results: results["ik_one"]["kuka_iiwa"]["diffkin"][what] * 1e6


# what, unit, at most or at least, goal, where the figure comes from
_GOALS: list[tuple[str, str, str, float, Callable[[Results], float]]] = [
    ("FK float32, 100,000, against pytorch_kinematics", "x", ">=", 150, _batch("forward")),
    ("Jacobian, 100,000, against pytorch_kinematics", "x", ">=", 80, _batch("jacobian")),
    ("forward+backward, 100,000, against pytorch_kinematics", "x", ">=", 60, _batch("forward_backward")),
    ("backward against forward, 100,000", "x", "<=", 1.5, _backward),
    ("FK of one configuration, public call", "us", "<=", 20, lambda r: r["single"]["forward"]["diffkin"] * 1e6),
    ("IK one target, median", "us", "<=", 30, _one("median")),
    ("IK one target, mean", "us", "<=", 40, _one("mean")),
    ("IK one target, 99th percentile", "us", "<=", 100, _one("p99")),
    ("tight limits (Panda, half ranges), solved", "%", ">=", 99.5, lambda r: r["ik_tight"]["diffkin"]["solved"] * 100),
    ("import diffkin against import torch", "x", "<=", 1.3, lambda r: r["import"]["ratio"]),
    (
        "memory of IK of a million targets above torch",
        "GB",
        "<=",
        2,
        lambda r: r["memory"]["peak_above_torch_bytes"] / 1e9,
    ),
]
for _name, _time, _share in (
    ("kuka_iiwa", 3.0, 99.99),
    ("ur5", 3.0, 99.99),
    ("xarm6", 3.0, 99.99),
    ("franka_panda", 4.5, 99.95),
):
    _GOALS.append((f"IK {_name}, batch 10,000", "us", "<=", _time, _ik(_name, "seconds_each", 1e6)))
    _GOALS.append((f"IK {_name}, solved", "%", ">=", _share, _ik(_name, "solved", 100.0)))


def goals(results: Results) -> list[dict[str, Any]]:
    """What was to be reached and what was measured, for the sections that are there."""
    rows = []
    for what, unit, sense, goal, measure in _GOALS:
        try:
            value = measure(results)
        except KeyError as missing:  # a section not run, or a peer not installed: said, not hidden
            rows.append(
                {"what": what, "unit": unit, "goal": f"{sense} {goal:g}", "measured": None, "missing": str(missing)}
            )
            continue
        met = value <= goal if sense == "<=" else value >= goal
        rows.append({"what": what, "unit": unit, "goal": f"{sense} {goal:g}", "measured": value, "met": met})
    return rows


def _seconds(value: float) -> str:
    if value >= 1.0:
        return f"{value:.2f} s"
    return f"{value * 1e3:.3g} ms" if value >= 1e-3 else f"{value * 1e6:.3g} us"


def show(results: Results, console: Console) -> None:
    """Print every section that is there."""
    missing = [name for name, version in results["peers"].items() if version is None]
    where = results["machine"]
    threads = f"threads: torch {where['torch_threads']}, diffkin {where['diffkin_threads']}"
    console.print(f"[bold]{where['processor']}[/], {where['cores']} cores; {threads}")
    console.print(", ".join(f"{name} {version or '[red]missing[/]'}" for name, version in results["peers"].items()))
    if missing:
        named = ", ".join(missing)
        console.print(f"[red]Not measured, not installed: {named}[/]. Install with: pip install 'diffkin\\[bench]'")
    _goals_table(results, console)
    if "batches" in results:
        for work, libraries in results["batches"]["seconds"].items():
            _matrix(f"{work}, kuka_iiwa, float32, by batch", libraries, console)
    if "single" in results:
        table = Table(title="one configuration, public call", title_justify="left")
        for column in ("library", *results["single"]):
            table.add_column(column)
        for name in results["single"]["forward"]:
            table.add_row(name, *(_seconds(work[name]) if name in work else "-" for work in results["single"].values()))
        console.print(table)
    for section, columns in (("ik_batch", ("seconds_each",)), ("ik_one", ("median", "mean", "p99"))):
        if section in results:
            _ik_table(section, results[section], columns, console)
    if "ik_tight" in results:
        _ik_table("tight limits", {"franka_panda": results["ik_tight"]}, ("seconds_each",), console)
    for section in ("where_fk", "where_ik"):
        if section in results:
            part = results[section]
            parts = ", ".join(f"{name} {share * 100:.0f} %" for name, share in part["shares"].items())
            console.print(f"[bold]{section}[/] ({part['robot']}, batch {part['batch']}): {parts}")
    if "where_fk" in results:
        part = results["where_fk"]
        peak, share, inside = (
            part[name] for name in ("peak_flops_per_second", "share_of_peak", "share_of_peak_without_memory")
        )
        console.print(
            f"FK: {part['flops_each']} operations each; measured peak {peak / 1e9:.0f} GFlop/s; share of the peak "
            f"{share * 100:.0f} %, without writing to memory {inside * 100:.0f} %"
        )
    for section in ("import", "warm_start", "compile", "memory", "cuda"):
        if section in results:
            console.print(f"[bold]{section}[/]", results[section])


def _goals_table(results: Results, console: Console) -> None:
    table = Table(title="to reach", title_justify="left")
    for column in ("what", "goal", "measured", ""):
        table.add_column(column)
    for row in goals(results):
        if row["measured"] is None:
            table.add_row(row["what"], f"{row['goal']} {row['unit']}", "-", f"no {row['missing']}")
        else:
            met = "[green]met[/]" if row["met"] else "[red]not met[/]"
            table.add_row(row["what"], f"{row['goal']} {row['unit']}", f"{row['measured']:.4g} {row['unit']}", met)
    console.print(table)


def _matrix(title: str, libraries: dict[str, dict[str, float]], console: Console) -> None:
    sizes = sorted({size for row in libraries.values() for size in row}, key=int)
    table = Table(title=title, title_justify="left")
    for column in ("library", *(f"{int(size):,}" for size in sizes)):
        table.add_column(column)
    for name, row in libraries.items():
        table.add_row(name, *(_seconds(row[size]) if size in row else "-" for size in sizes))
    console.print(table)


def _ik_table(title: str, robots: dict[str, Any], columns: tuple[str, ...], console: Console) -> None:
    for robot, libraries in robots.items():
        table = Table(title=f"{title}, {robot}", title_justify="left")
        for column in ("library", "targets", *columns, "solved"):
            table.add_column(column)
        for name, row in libraries.items():
            cells = [_seconds(row[column]) for column in columns]
            table.add_row(name, str(row["targets"]), *cells, f"{row['solved'] * 100:.2f} %")
        console.print(table)
