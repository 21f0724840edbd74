"""The other libraries, each behind the same two kinds of call; which are installed, and which are missing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import pinocchio as pin
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.models import Model

__all__ = [
    "IK_PEERS",
    "PEERS",
    "batch_kinematics",
    "bullet_kinematics",
    "ik_solver",
    "installed",
    "pinocchio_loop",
    "torch_ik",
]

Floats = NDArray[np.float64]
Solver = Callable[[Floats, Floats], Floats]

PEERS = {  # name shown: (module, distribution)
    "pytorch_kinematics": ("pytorch_kinematics", "pytorch_kinematics"),
    "Pinocchio": ("pinocchio", "pin"),
    "PyBullet": ("pybullet", "pybullet"),
    "robotics-toolbox": ("roboticstoolbox", "roboticstoolbox-python"),
    "TRAC-IK": ("pytracik", "pytracik"),
    "optik": ("optik", "optik-py"),
}

IK_PEERS = ("robotics-toolbox", "optik", "TRAC-IK", "PyBullet")


def installed() -> dict[str, str | None]:
    """Version of each peer, None for one that is missing."""
    found = {}
    for name, (module, distribution) in PEERS.items():
        present = importlib.util.find_spec(module) is not None
        found[name] = importlib.metadata.version(distribution) if present else None
    return found


def batch_kinematics(model: Model, q: Tensor) -> dict[str, Callable[[], object]]:
    """pytorch_kinematics' FK, Jacobian and forward+backward of a batch ``q`` (count, dof), in its dtype."""
    import pytorch_kinematics as pk

    chain = pk.build_serial_chain_from_urdf(model.text.encode(), model.tip).to(dtype=q.dtype)
    leaf = q.clone().requires_grad_()

    def both() -> object:
        (gradient,) = torch.autograd.grad(chain.forward_kinematics(leaf).get_matrix().sum(), leaf)
        return gradient

    return {
        "forward": lambda: chain.forward_kinematics(q).get_matrix(),
        "jacobian": lambda: chain.jacobian(q),
        "forward_backward": both,
    }


def pinocchio_loop(model: Model, q: Floats) -> dict[str, Callable[[], object]]:
    """Pinocchio over the rows of ``q`` in a Python loop, its results not even kept."""
    arm, data, frame = model.pin_model, model.pin_model.createData(), model.pin_frame
    axes = pin.ReferenceFrame.LOCAL_WORLD_ALIGNED
    rows = list(q)

    def forward() -> None:
        for row in rows:
            pin.forwardKinematics(arm, data, row)
            pin.updateFramePlacement(arm, data, frame)

    def jacobian() -> None:
        for row in rows:
            pin.computeFrameJacobian(arm, data, row, frame, axes)

    return {"forward": forward, "jacobian": jacobian}


class _Bullet:
    """A robot in PyBullet without a window."""

    def __init__(self, model: Model) -> None:
        import pybullet

        self.bullet: Any = pybullet
        self.client = pybullet.connect(pybullet.DIRECT)
        self.body = pybullet.loadURDF(model.file(), useFixedBase=True, physicsClientId=self.client)
        joints = range(pybullet.getNumJoints(self.body, physicsClientId=self.client))
        info = [pybullet.getJointInfo(self.body, joint, physicsClientId=self.client) for joint in joints]
        number = {row[1].decode(): joint for joint, row in enumerate(info)}
        self.joints = [number[name] for name in model.robot.joint_names]
        self.link = next(joint for joint, row in enumerate(info) if row[12].decode() == model.tip)
        movable = [joint for joint, row in enumerate(info) if row[2] != pybullet.JOINT_FIXED]
        self.movable = len(movable)
        self.columns = [movable.index(joint) for joint in self.joints]


def bullet_kinematics(model: Model, q: Floats) -> dict[str, Callable[[], object]]:
    """PyBullet over the rows of ``q``: set every joint and read the link; its Jacobian."""
    scene = _Bullet(model)
    bullet, body, client = scene.bullet, scene.body, scene.client
    rows = [row.tolist() for row in q]
    full = np.zeros((len(q), scene.movable))
    full[:, scene.columns] = q
    wide, still = [row.tolist() for row in full], [0.0] * scene.movable

    def forward() -> None:
        for row in rows:
            for joint, value in zip(scene.joints, row, strict=True):
                bullet.resetJointState(body, joint, value, physicsClientId=client)
            bullet.getLinkState(body, scene.link, computeForwardKinematics=1, physicsClientId=client)

    def jacobian() -> None:
        for row in wide:
            bullet.calculateJacobian(body, scene.link, [0.0] * 3, row, still, still, physicsClientId=client)

    return {"forward": forward, "jacobian": jacobian}


def ik_solver(name: str, model: Model, lower: Floats, upper: Floats, parallel: bool = False) -> Solver:
    """One peer's IK as ``solve(target (4, 4), start (dof,)) -> q (dof,)``, NaN where it gives up.

    Every one is asked for an error norm of 1e-6 within the limits, by the measure it has itself.

    Args:
        name: One of ``IK_PEERS``.
        model: The arm.
        lower: (dof,) limits, given to the peer explicitly where it can be.
        upper: (dof,) limits.
        parallel: Whether optik may use all cores for one target.
    """
    return {"robotics-toolbox": _toolbox, "optik": _optik, "TRAC-IK": _trac_ik, "PyBullet": _bullet}[name](
        model, lower, upper, parallel
    )


def _toolbox(model: Model, lower: Floats, upper: Floats, parallel: bool) -> Solver:
    """robotics-toolbox: ik_LM in C++. Its measure is half the squared error, so 1e-6 is 5e-13. Starts are its own."""
    import roboticstoolbox as rtb

    arm = model.pin_model
    parts, before = [], pin.SE3.Identity()
    for joint in range(1, arm.njoints):
        axis = np.eye(3)["XYZ".index(arm.joints[joint].shortname()[-1])]
        turn = pin.Quaternion.FromTwoVectors(np.array([0.0, 0.0, 1.0]), axis).matrix()
        place = before * arm.jointPlacements[joint] * pin.SE3(turn, np.zeros(3))
        before = pin.SE3(turn.T, np.zeros(3))
        parts += [rtb.ET.SE3(place.homogeneous), rtb.ET.Rz(qlim=[lower[joint - 1], upper[joint - 1]], jindex=joint - 1)]
    parts.append(rtb.ET.SE3((before * arm.frames[model.pin_frame].placement).homogeneous))
    chain = rtb.ETS(parts)
    nothing = np.full(model.dof, np.nan)

    def solve(target: Floats, start: Floats) -> Floats:
        # chan with k = 0.1 is the fastest of its damping rules and gains here
        found = chain.ik_LM(target, tol=5e-13, ilimit=30, slimit=100, joint_limits=True, method="chan", k=0.1)
        return found.q if found.success else nothing

    return solve


def _optik(model: Model, lower: Floats, upper: Floats, parallel: bool) -> Solver:
    """optik: its measure is the squared error."""
    import optik

    robot = optik.Robot.from_urdf_file(model.file(), model.base, model.tip)
    robot.set_parallelism(2 if parallel else 1)
    config = optik.SolverConfig("speed", max_time=0.1, max_restarts=100_000, tol_f=1e-12)
    nothing = np.full(model.dof, np.nan)

    def solve(target: Floats, start: Floats) -> Floats:
        found = robot.ik(config, target, start)
        return nothing if found is None else np.array(found[0])

    return solve


def _trac_ik(model: Model, lower: Floats, upper: Floats, parallel: bool) -> Solver:
    """TRAC-IK: it bounds each of six components; 1e-6 / sqrt(3) bounds the norms. It runs two threads by itself."""
    import pytracik

    solver = pytracik.TRAC_IK(model.base, model.tip, model.text, 0.1, 1e-6 / 3**0.5, pytracik.Speed)
    pytracik.set_joint_limits(solver, lower.tolist(), upper.tolist())
    nothing = np.full(model.dof, np.nan)

    def solve(target: Floats, start: Floats) -> Floats:
        quat_xyzw = pin.Quaternion(target[:3, :3]).coeffs()
        found = pytracik.ik(solver, start, *target[:3, 3], *quat_xyzw)
        return found[1:] if found[0] >= 0 else nothing

    return solve


def _bullet(model: Model, lower: Floats, upper: Floats, parallel: bool) -> Solver:
    """PyBullet: calculateInverseKinematics from the given start. It tries once, and knows nothing of the limits.

    Given limits it pulls towards their middle and reaches no target to 1e-6 at all; without them it does at times.
    """
    scene = _Bullet(model)
    bullet, columns = scene.bullet, scene.columns
    options = {"maxNumIterations": 1000, "residualThreshold": 1e-7, "physicsClientId": scene.client}

    def solve(target: Floats, start: Floats) -> Floats:
        for joint, value in zip(scene.joints, start.tolist(), strict=True):
            bullet.resetJointState(scene.body, joint, value, physicsClientId=scene.client)
        position, quat_xyzw = target[:3, 3].tolist(), pin.Quaternion(target[:3, :3]).coeffs().tolist()
        found = bullet.calculateInverseKinematics(scene.body, scene.link, position, quat_xyzw, **options)
        return np.array(found)[columns]

    return solve


def torch_ik(model: Model, targets: Floats) -> Callable[[], Floats]:
    """pytorch_kinematics' damped pseudo-inverse for all targets (count, 4, 4) at once, ten starts each."""
    import pytorch_kinematics as pk

    chain = pk.build_serial_chain_from_urdf(model.text.encode(), model.tip).to(dtype=torch.float64)
    limits = torch.from_numpy(np.stack([model.lower, model.upper], axis=1))
    starts = torch.from_numpy(np.random.default_rng(2).uniform(model.lower, model.upper, (10, model.dof)))
    solver = pk.PseudoInverseIK(
        chain,
        pos_tolerance=1e-6,
        rot_tolerance=1e-6,
        retry_configs=starts,
        joint_limits=limits,
        max_iterations=50,
        early_stopping_any_converged=True,
        early_stopping_no_improvement="any",
    )
    poses = pk.Transform3d(matrix=torch.from_numpy(targets))

    def solve() -> Floats:
        found = solver.solve(poses)
        best = found.converged.double().argmax(1)
        return found.solutions[torch.arange(len(targets)), best].numpy()

    return solve
