"""Modes of the scripts: small command lines that differ in what is done, and valid values where generic ones are not."""

from __future__ import annotations

import csv
import dataclasses
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import diffkin as dk
from diffkin import assets, rotations
from diffkin.ik import SOLVERS
from diffkin.learning.inverse import DatasetSettings, write_shard
from diffkin.learning.inverse.make import NETWORKS
from tests.scripts.test_train_filter import write_broad, write_csv

__all__ = ["MODES", "VALUES", "Mode", "accepted", "make_inputs"]


@dataclass(frozen=True)
class Mode:
    """One way to use a script.

    Attributes:
        script: Its name.
        name: Of the mode.
        line: The command line; ``{inputs}`` in it is the folder of ``make_inputs``.
        before: The command line of a run that goes before; it is found in the folder ``before``.
        only: What the keys that are walked over begin with, where others are walked over in another mode; all if empty.
    """

    script: str
    name: str
    line: tuple[str, ...]
    before: tuple[str, ...] = ()
    only: tuple[str, ...] = ()


# -- values ---------------------------------------------------------------------------------------------------------

_PLANAR, _SCARA = "{inputs}/planar.urdf", "{inputs}/scara.urdf"
_FLYER, _WING = "{inputs}/flyer.urdf", "{inputs}/wing.urdf"

VALUES: dict[str, tuple[str, ...]] = {
    "robot.name": ("planar_2r",),
    "robot.path": (_SCARA, _PLANAR),
    "robot.base": ("link1", "upper_arm", "lbr_iiwa_link_1"),
    "robot.tip": ("link3", "link2", "flange", "lbr_iiwa_link_6"),
    "aircraft.robot": ("fixed_wing", "quadrotor"),
    "aircraft.path": (_FLYER, _WING),
    "rate_deg_s": ("[900,900,900]",),
    "aircraft.max_bank_deg": ("5.0",),
    "aircraft.max_pitch_deg": ("5.0",),
    "solver.name": ("gauss_newton", "adam"),
    "solver.max_iterations": ("1", "2", "3"),
    "solver.max_restarts": ("0", "1"),
    "solver.early_iterations": ("2",),
    "check.position_tolerance": ("1e-9", "10.0"),
    "check.rotation_tolerance": ("1e-9", "10.0"),
    "solver.position_tolerance": ("1.0", "1e-16"),
    "solver.rotation_tolerance": ("1.0", "1e-16"),
    "target.kind": ("unreachable", "direction"),
    "target.ray": ("antenna", "nose"),
    "target.height_m": ("300.0",),
    "target.radius_m": ("50.0",),
    "target.max_elevation_deg": ("40.0",),
    "controller.kind": ("log_pd", "sqrt_cascade"),
    "integrator.name": ("bullet", "rk4"),
    "roll": ("free", "least"),
    "locked": ("[gimbal_pitch]", "[gimbal_yaw]"),
    "sun.half_angle_deg": ("60.0",),
    "sun.azimuth_deg": ("0.0", "90.0"),
    "sun.elevation_deg": ("-60.0", "0.0"),
    "csv": ("{inputs}/again.csv", "[{inputs}/flight1.csv]"),
    "broad": ("{inputs}/wide", "{inputs}/broad"),
    "parameters": ("[offsets]", "[offsets,tool]"),
    "loss": ("cauchy", "huber"),
    "measurement.kind": ("position", "rotation"),
    "measurement.outliers": ("0.2",),
    "measurement.missing": ("0.2",),
    "design.counts": ("[8]", "[]"),
    "kind": ("ik", "fk"),
    "shard": ("0", "1"),
    "folder": ("elsewhere",),
    "network.name": ("flow", "regression"),
    "network.head": ("spline", "mixture"),
    "network.squash": ("sin",),
    "data": ("{inputs}/pairs", "null"),
    "*.kind": ("sqrt_cascade", "log_pd"),
    "job": ("chain_flow", "flow", "regression"),
    "objective": ("raw_rotation_error_rad_median", "grid_rms_deg", "-best_cost"),
    "trainer.monitor": ("training_loss", "step"),
    "trainer.accelerator": ("cuda", "tpu"),
    "trainer.precision": ("bf16-mixed", "64-true"),
    "trainer.warmup": ("0", "1"),
    "trainer.patience": ("1",),  # needs a validation that is no better
    "trainer.average": ("0.0", "0.05"),
    "trainer.clip": ("1e-6",),
    "trainer.weight_decay": ("10.0",),
    "trainer.seed": ("5",),
    "trainer.threads": ("2",),
    "*.start_from": ("null", "tuned_pd", "hand_set_pd"),
    "score.airframes": ("[fixed_wing]",),
    "filter.name": ("madgwick", "mahony"),
    "path.kind": ("line", "circle"),
    "path.file": ("{inputs}/poses.csv", "{inputs}/others.csv"),
    "follower.name": ("servo", "path"),
    "follower.acceleration_limit": ("0.1",),
    "follower.damping": ("50.0",),
    "follower.when_limited": ("slow", "nearest"),
    "follower.allow_reconfigurations": ("true",),
    "follower.limit_weight": ("0.1",),
    "follower.tolerance": ("1e-14", "1.0"),
    "viewer.name": ("film", "window"),
    "viewer.language": ("zh",),
    "mode": ("gimbal_lock", "circle", "joints"),
    "sequence": ("ZXZ",),
    "first_solver": ("adam",),
    "checkpoint": ("{inputs}/network.safetensors",),
    "record": ("own.gif",),
    "seconds": ("0.6",),
}
"""By the whole key, or its last part."""

# -- modes ----------------------------------------------------------------------------------------------------------

_ARM = ("robot=planar_3r", "target.count=4", "plotted=2", "pictured=1", "check.configurations=2", "check.driven=1")
_PLAIN = ("robot=planar_3r", "check=none", "plotted=2", "pictured=0")
_HARD = ("target=unreachable", "target.count=3", "solver.max_restarts=3")
_LOOSE = ("solver.position_tolerance=0.01", "solver.rotation_tolerance=0.01")
_TUMBLE = ("seconds=0.2", "bodies=2")
_POINT = ("target.count=6", "check.jacobians=1", "check.flights=2", "check.seconds=0.3", "check.pictures=1")
_MEASURE = ("robot=planar_3r", "arms=2", "poses=12", "held_out=6")
_DESIGN = ("design.counts=[6]", "design.candidates=30", "design.random=3", "design.arms=2")
_EXPLORE = ("robot=kuka_iiwa", "targets=1", "starts=400", "postures=60", "pictured=1", "spacing=0.05", "step=0.1")
_TRAINER = (
    "experiment=demo", "trainer.steps=6", "trainer.batch=8", "trainer.validate_every=2", "trainer.checkpoint_every=2",
    "trainer.warmup=2", "trainer.threads=1", "trainer.progress=false",
)  # fmt: skip
_IK = (*_TRAINER, "robot=planar_3r", "network.width=8", "network.depth=1", "evaluation.targets=12",
       "evaluation.best_of=3", "evaluation.stored=40", "evaluation.spread=2", "evaluation.bullet_targets=3")  # fmt: skip
_SCORED = ("flight_s=0.4", "score.starts=8")
_ALONE = (*_SCORED, "score.flights=0")
_FLOWN = (*_SCORED, "score.flights=1", "score.pictures=1", "score.airframes=[quadrotor]")
_SMALL_POLICIES = tuple(
    f"controller.{name}.{key}" for name in ("network", "residual") for key in ("width=8", "depth=1")
)
_ONE = ("controller.width=8", "controller.depth=1")
_JUDGE = ("grid.points=7", "grid.refinements=1")
_FILTER = (*_TRAINER, *_JUDGE, "records.training=6", "records.held_out=3", "records.seconds=3", "records.settle_s=1")
_SIMULATED = (*_FILTER, "records.rate_hz=25")
_TRACK = ("robot=planar_3r", "path.ticks=12", "path.seconds=0.5")
_PLAY = ("viewer=film", "seconds=0.4", "viewer.fps=5", "viewer.film_width=160", "viewer.film_height=120")


def _of(script: str, modes: Mapping[str, Iterable[str]], only: tuple[str, ...] = ()) -> list[Mode]:
    return [Mode(script, name, tuple(line), only=only) for name, line in modes.items()]


def _resumed(script: str, line: tuple[str, ...]) -> list[Mode]:
    """Going on with a run that has ended, and with one that has not."""
    halfway = tuple("trainer.steps=4" if word == "trainer.steps=6" else word for word in line)
    return [
        Mode(script, "ended", ("resume=before",), before=line),
        Mode(script, "going on", ("resume=before", "trainer.steps=6"), before=halfway),
    ]


MODES: list[Mode] = [
    *_of("solve_ik", {
        "checked": (*_ARM, "check.compared=3"),
        "file": (*_PLAIN[1:], f"robot.path={_SCARA}", "robot.tip=flange", *_HARD),
        "unreachable": (*_PLAIN, *_HARD),
        "check off": ("robot=planar_3r", "target.count=2", "check.enabled=false", "plotted=0"),
        "loose": (*_PLAIN, "target.count=4", "solver.position_tolerance=1.0"),
        **{name: (*_PLAIN, "target.count=2", f"solver={name}", *_LOOSE) for name in SOLVERS},
        **{f"{name}, hard": (*_PLAIN, *_HARD, f"solver={name}", "solver.max_iterations=20")
           for name in SOLVERS if name != "levenberg_marquardt"},
    }),
    *_of("simulate_attitude", {
        "checked": _TUMBLE,
        "damped": (*_TUMBLE, "damping=0.04"),
        "alone": (*_TUMBLE, "check.pybullet=false"),
        "one body": ("seconds=0.2", "bodies=1", "check.pybullet=false"),
        "file": (*_TUMBLE, f"aircraft.path={_FLYER}", "check.pybullet=false"),
    }),
    *_of("point_aircraft", {
        "ground": (*_POINT, "target=ground_point"),
        "direction": (*_POINT, "target=direction", "aircraft=quadrotor"),
        "no check": ("target.count=6", "check.pybullet=false"),
        "no flights": (*_POINT[:2], "check.flights=0", "check.pictures=0"),
        "sun": ("target.count=6", "check.pybullet=false", "target=direction", "sun.half_angle_deg=50"),
        "free": ("target.count=6", "check.pybullet=false", "target=direction", "target.max_elevation_deg=60", "roll=free",
                 "target.ray=antenna"),
        **{name: (*_POINT, f"controller={name}") for name in ("log_pd", "sqrt_cascade")},
    }),
    *_of("calibrate_robot", {
        **{kind: (*_MEASURE, "design.counts=[]", f"measurement={kind}") for kind in ("pose", "position", "rotation")},
        "design": (*_MEASURE, *_DESIGN, "arms=1"),
        **{f"{kind}, csv": ("robot=planar_3r", "csv={inputs}/measured.csv", f"measurement={kind}")
           for kind in ("pose", "position", "rotation")},
    }),
    *_of("explore_solutions", {
        "checked": _EXPLORE,
        "alone": (*_EXPLORE[:4], *_EXPLORE[5:], "pictured=0", "pybullet=false"),
    }),
    *_of("make_dataset", {
        "fk": ("robot=planar_3r", "count=20", "shards=2"),
        "ik": ("robot=planar_3r", "count=6", "shards=2", "kind=ik"),
        "one shard": ("robot=planar_3r", "count=20", "shards=3", "shard=2", "folder=own"),
    }),
    *_of("train_ik", {
        **{name: (*_IK, f"network={name}") for name in NETWORKS},
        "spline": (*_IK, "network.head=spline"),
        "stored": (*_IK, "network=through_fk", "data={inputs}/pairs", "evaluation.bullet_targets=0"),
    }),
    *_resumed("train_ik", (*_IK, "network=through_fk", "evaluation.bullet_targets=0")),
    *_of("train_attitude", {
        **{name: (*_TRAINER, *_ALONE, f"controller={name}") for name in ("tuned_pd", "tuned_cascade")},
        **{name: (*_ALONE, f"controller={name}") for name in ("log_pd", "sqrt_cascade")},
        "network": (*_TRAINER, *_ALONE, "controller=network", *_ONE),
        "residual": (*_TRAINER, *_FLOWN, "controller=residual", *_ONE),
    }),
    *_of("train_attitude", {"all": (*_TRAINER, *_ALONE, *_SMALL_POLICIES)}, only=("controller", "trainer.l")),
    *_resumed("train_attitude", (*_TRAINER, *_ALONE, "controller=residual", *_ONE)),
    *_of("train_filter", {
        "mahony": (*_SIMULATED, "filter.starts=[[0.3,3.0,0.2]]"),
        "hasty": (*_SIMULATED, "filter.starts=[[0.3,3.0,0.2]]", "trainer.learning_rate=0.3"),
        "madgwick": (*_SIMULATED, "filter=madgwick", "filter.starts=[[0.12,0.002],[0.5,0.02]]"),
        "csv": (*_FILTER, "filter.starts=[[0.3,3.0,0.2]]", "csv=[{inputs}/flight0.csv,{inputs}/flight1.csv]",
                "records.training=2", "records.held_out=1"),
        "one csv": (*_FILTER, "filter.starts=[[0.3,3.0,0.2]]", "csv={inputs}/flight0.csv", "records.training=2",
                    "records.held_out=1", "records.seconds=0.8", "records.settle_s=0.2"),
        "broad": (*_FILTER, "filter.starts=[[0.3,3.0,0.2]]", "broad={inputs}/broad", "records.training=2",
                  "records.held_out=1"),
    }),
    *_resumed("train_filter", (*_SIMULATED, "filter.starts=[[0.3,3.0,0.2]]")),
    *_of("track_path", {
        **{name: (*_TRACK, f"path={name}") for name in ("circle", "line", "lissajous")},
        "csv": ("robot=planar_3r", "path=csv", "path.file={inputs}/poses.csv", "path.seconds=0.5"),
        "points": (*_TRACK, "orientation=false", "play=false"),
        "servo": (*_TRACK, "follower=servo", "play=false"),
        "servo, csv": ("robot=planar_3r", "path=csv", "path.file={inputs}/poses.csv", "path.seconds=0.5",
                       "follower=servo", "play=false"),
    }),
    *_of("demo_arm", {
        mode: ("robot=planar_3r", *_PLAY, "seconds=1.2", f"mode={mode}") for mode in ("follow", "circle", "reach", "joints")
    }),
    *_of("demo_arm", {"large": ("robot=planar_3r", *_PLAY, "seconds=1.2", "viewer.film_width=640",
                                "viewer.film_height=480")}, only=("bullet",)),
    *_of("demo_aircraft", {mode: (*_PLAY, f"mode={mode}") for mode in ("attitude", "gimbal_lock", "track", "fly")}),
]  # fmt: skip


def accepted(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """Keys that the library's own classes take beside those in the files, with their defaults."""
    kinds = {
        "solver": {name: kind for name, kind in SOLVERS.items()},
        "network": {n: k for n, (_, k) in NETWORKS.items()},
    }
    found: dict[str, Any] = {}
    for group, classes in kinds.items():
        part = cfg.get(group)
        kind = classes.get(part.get("name")) if isinstance(part, Mapping) else None
        for each in dataclasses.fields(kind) if kind is not None else ():
            if each.name not in part:
                found[f"{group}.{each.name}"] = each.default
    return found


# -- files that the modes read --------------------------------------------------------------------------------------


def make_inputs(folder: Path) -> None:
    """Robots, an aircraft, records, paths, measurements and training pairs."""
    models = Path(assets.__file__).parent if getattr(assets, "__file__", None) else Path(dk.__file__).parent / "assets"
    sources = {"planar": "robots/planar_3r", "scara": "robots/scara"}
    for name, source in (sources | {"flyer": "aircraft/quadrotor", "wing": "aircraft/fixed_wing"}).items():
        shutil.copy(models / f"{source}.urdf", folder / f"{name}.urdf")
    for k in range(2):
        write_csv(folder / f"flight{k}.csv", seed=k)
        for name, seed in (("broad", k), ("wide", k + 2)):
            (folder / name / "data_mat").mkdir(parents=True, exist_ok=True)
            write_broad(folder / name / "data_mat" / f"0{k}_slow.mat", seed=seed)
    robot = dk.load_robot("planar_3r")
    for name, start in (("poses", 0.4), ("others", 0.5)):
        q = torch.linspace(start, start + 0.3, 8, dtype=torch.float64)[:, None].expand(8, 3)
        _write_poses(folder / f"{name}.csv", robot, q, joints=False, noise=0.0)
    for name, seed in (("measured", 5), ("again", 6)):
        _write_poses(folder / f"{name}.csv", robot, robot.sample(40, seed=seed), joints=True, noise=1e-3)
    for shard in range(2):
        write_shard(robot, DatasetSettings(count=40, shards=2), shard, folder / "pairs")


def _write_poses(path: Path, robot: dk.Robot, q: torch.Tensor, joints: bool, noise: float) -> None:
    T = robot.forward_kinematics(q)
    errors = noise * torch.randn(2, len(q), 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    turned = T[:, :3, :3] @ rotations.rotvec_to_matrix(errors[1])
    rows = torch.cat((T[:, :3, 3] + errors[0], rotations.matrix_to_quat_xyzw(turned)), dim=-1)
    names = ["x_m", "y_m", "z_m", "quat_x", "quat_y", "quat_z", "quat_w"]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow([*names, *(robot.joint_names if joints else ())])
        for k, row in enumerate(rows.tolist()):
            table.writerow([*row, *(q[k].tolist() if joints else ())])
