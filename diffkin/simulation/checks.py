"""PyBullet as a second opinion: poses, Jacobians, solutions, and its own inverse kinematics on the same targets."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from diffkin import rotations
from diffkin.errors import OptionError, ShapeError
from diffkin.robot import Robot
from diffkin.simulation.bullet_robot import BulletRobot, load
from diffkin.simulation.library import bullet
from diffkin.simulation.motors import drive_to
from diffkin.simulation.world import open_world

__all__ = [
    "BulletIK",
    "BulletReport",
    "bullet_ik",
    "check_solutions",
    "compare_jacobians",
    "compare_poses",
    "pose_difference",
    "read_back",
]


@dataclass(frozen=True, eq=False)
class BulletIK:
    """What Bullet's ``calculateInverseKinematics`` answers.

    Attributes:
        q: (n, dof) its answers, as they come.
        position_error: (n,) distance of the tip to the target there [m].
        rotation_error: (n,) angle to the target there [rad].
        within_limits: (n,) whether every joint is within its limits.
    """

    q: Float[Tensor, "n dof"]
    position_error: Float[Tensor, " n"]
    rotation_error: Float[Tensor, " n"]
    within_limits: Bool[Tensor, " n"]

    def reached(self, position_tolerance: float, rotation_tolerance: float) -> Bool[Tensor, " n"]:
        """(n,) whether the target is met to the tolerances [m] and [rad], limits aside."""
        return (self.position_error <= position_tolerance) & (self.rotation_error <= rotation_tolerance)


@dataclass(frozen=True)
class BulletReport:
    """Agreement with PyBullet; None where there was nothing to compare.

    Attributes:
        fk_position_difference_m: Largest distance between our and Bullet's origin of any link.
        fk_rotation_difference_rad: Largest angle between our and Bullet's axes of any link.
        jacobian_difference: Largest difference of any entry of any link's Jacobian, with and without a point.
        solution_position_error_m: Largest distance to the target over all solutions, as Bullet's tip has it.
        solution_rotation_error_rad: Largest angle to the target, likewise.
        simulated_targets: How many solutions Bullet's motors drove to.
        simulated_position_error_m: Largest distance to the target where the motors came to rest under gravity.
        simulated_rotation_error_rad: Largest angle to the target there.
        bullet_ik_targets: How many targets Bullet's own inverse kinematics was given.
        bullet_ik_solved: How many it met within ``bullet_ik_position_tolerance_m`` and ``..._rotation_...``, in limits.
        bullet_ik_reached: How many it met, in limits or not.
        bullet_ik_limit_violations: How many of its answers are outside the limits.
        bullet_ik_position_tolerance_m: When a position counts as met by Bullet.
        bullet_ik_rotation_tolerance_rad: When a rotation does.
    """

    fk_position_difference_m: float
    fk_rotation_difference_rad: float
    jacobian_difference: float
    solution_position_error_m: float | None
    solution_rotation_error_rad: float | None
    simulated_targets: int
    simulated_position_error_m: float | None
    simulated_rotation_error_rad: float | None
    bullet_ik_targets: int
    bullet_ik_solved: int
    bullet_ik_reached: int
    bullet_ik_limit_violations: int
    bullet_ik_position_tolerance_m: float
    bullet_ik_rotation_tolerance_rad: float

    def to_dict(self) -> dict[str, float | int | None]:
        """All attributes by name, for JSON."""
        return asdict(self)

    def rows(self) -> list[tuple[str, str]]:
        """The same in words, for a table: what was compared, and how far apart it is."""

        def apart(position: float, rotation: float, digits: int) -> str:
            return f"{position:.{digits}e} m, {rotation:.{digits}e} rad"

        rows = [
            ("poses of all links differ by", apart(self.fk_position_difference_m, self.fk_rotation_difference_rad, 1)),
            ("Jacobians differ by", f"{self.jacobian_difference:.1e}"),
        ]
        if self.solution_position_error_m is not None and self.solution_rotation_error_rad is not None:
            errors = apart(self.solution_position_error_m, self.solution_rotation_error_rad, 2)
            rows.append(("solutions set, farthest from target", errors))
        if self.simulated_position_error_m is not None and self.simulated_rotation_error_rad is not None:
            errors = apart(self.simulated_position_error_m, self.simulated_rotation_error_rad, 2)
            rows.append((f"{self.simulated_targets} driven to by motors", errors))
        within = f"{self.bullet_ik_position_tolerance_m:g} m, {self.bullet_ik_rotation_tolerance_rad:g} rad"
        solved = f"{self.bullet_ik_solved} of {self.bullet_ik_targets}"
        rows.append((
            f"its own IK solves, to {within}",
            f"{solved}, {self.bullet_ik_limit_violations} outside limits",
        ))  # fmt: skip
        return rows


def pose_difference(
    a: Float[Tensor, "*batch 4 4"], b: Float[Tensor, "*batch 4 4"]
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    """Distance of the origins [m] and angle between the axes [rad] of two poses."""
    distance = (a[..., :3, 3] - b[..., :3, 3]).norm(dim=-1)
    return distance, rotations.angle_between(a[..., :3, :3], b[..., :3, :3])


def compare_poses(arm: BulletRobot, q: Float[Tensor, "n dof"]) -> tuple[float, float]:
    """Forward kinematics against Bullet, for every link of the robot.

    Args:
        arm: The robot in Bullet.
        q: (n, dof) configurations.

    Returns:
        The largest distance [m] and the largest angle [rad] over links and configurations.
    """
    links = arm.robot.link_names
    _check_batch(q, arm.robot)
    ours, theirs = [], []
    for each in q.double():
        arm.reset(each)
        ours.append(arm.robot.forward_kinematics(each, links=links, base=arm.base_pose()))
        theirs.append(torch.stack([arm.link_pose(link) for link in links]))
    distance, angle = pose_difference(torch.stack(ours), torch.stack(theirs))
    return float(distance.max()), float(angle.max())


def compare_jacobians(arm: BulletRobot, q: Float[Tensor, "n dof"], point: Float[Tensor, " 3"] | None = None) -> float:
    """Geometric Jacobians against Bullet's ``calculateJacobian``, for every link but the root.

    Args:
        arm: The robot in Bullet.
        q: (n, dof) configurations.
        point: (3,) point in the link's axes [m]; its origin if None.

    Returns:
        The largest difference of any entry.
    """
    _check_batch(q, arm.robot)
    worst = 0.0
    for each in q.double():
        arm.reset(each)
        base = arm.base_pose()
        for link in arm.robot.link_names:
            if arm.links[link] < 0:
                continue  # calculateJacobian knows no root link; its rows are zero
            ours = arm.robot.jacobian(each, link, point, base=base)
            worst = max(worst, float((ours - arm.jacobian(each, link, point)).abs().max()))
    return worst


def read_back(
    arm: BulletRobot, q: Float[Tensor, "n dof"], targets: Float[Tensor, "n 4 4"], link: str | None = None
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Set configurations in Bullet and compare where its link is with where it should be.

    Args:
        arm: The robot in Bullet.
        q: (n, dof) configurations.
        targets: (n, 4, 4) poses of the link in the robot's base.
        link: The link; the tip if None.

    Returns:
        (n,) distances [m] and (n,) angles [rad].
    """
    _check_batch(q, arm.robot)
    name = arm.robot.link_names[arm.robot.link_index(link)]
    placed = []
    for each in q:
        arm.reset(each)
        placed.append(arm.base_pose().inverse() @ arm.link_pose(name))
    return pose_difference(_stack(placed), targets.double())


def bullet_ik(arm: BulletRobot, targets: Float[Tensor, "n 4 4"], iterations: int = 200) -> BulletIK:
    """Bullet's own inverse kinematics in its plain form, each target from the middle of the limits.

    Args:
        arm: The robot in Bullet.
        targets: (n, 4, 4) poses of the tip in the robot's base.
        iterations: Its ``maxNumIterations``.

    Returns:
        Its answers, judged by Bullet's own forward kinematics.
    """
    p = bullet()
    robot = arm.robot
    lower, upper = robot.lower.double(), robot.upper.double()
    finite = torch.isfinite(lower) & torch.isfinite(upper)
    middle = torch.where(finite, 0.5 * (lower + upper), torch.zeros_like(lower))
    tip = robot.link_names[robot.link_index(None)]
    turn = arm.inertial_frame(tip)[:3, :3]  # Bullet's target is a position of the link, yet axes of its inertial frame
    answers = []
    for target in targets.double():
        arm.reset(middle)
        goal = arm.base_pose() @ target
        values = p.calculateInverseKinematics(
            arm.body,
            arm.links[tip],
            goal[:3, 3].tolist(),
            rotations.matrix_to_quat_xyzw(goal[:3, :3] @ turn).tolist(),
            maxNumIterations=iterations,
            residualThreshold=1e-9,
            physicsClientId=arm.client,
        )
        for joint, value in zip(arm.movable, values):
            p.resetJointState(arm.body, joint, value, 0.0, physicsClientId=arm.client)
        answers.append(arm.coordinates())
    q = torch.stack(answers) if answers else torch.zeros(0, robot.dof, dtype=torch.float64, device="cpu")
    distance, angle = read_back(arm, q, targets)
    slack = 1e-9  # a joint that Bullet put on its limit may be off it by rounding
    return BulletIK(q, distance, angle, ((q >= lower - slack) & (q <= upper + slack)).all(-1))


def check_solutions(
    robot: Robot,
    targets: Float[Tensor, "n 4 4"],
    q: Float[Tensor, "n dof"],
    success: Bool[Tensor, " n"],
    *,
    configurations: int = 50,
    driven: int = 5,
    compared: int = 200,
    position_tolerance: float = 1e-3,
    rotation_tolerance: float = 1e-3,
    seed: int = 0,
) -> tuple[BulletReport, BulletIK]:
    """Hold forward kinematics, Jacobians and solutions of an inverse kinematics problem against PyBullet.

    Args:
        robot: A robot loaded from a URDF, with a tip.
        targets: (n, 4, 4) poses asked of the tip.
        q: (n, dof) solutions.
        success: (n,) which of them count as solved.
        configurations: Random configurations at which poses and Jacobians are compared.
        driven: How many solved targets Bullet's motors drive to under gravity, one after the other.
        compared: How many targets, from the first on, Bullet's own inverse kinematics is given.
        position_tolerance: When Bullet's own answer counts as solved [m].
        rotation_tolerance: Likewise [rad].
        seed: For the configurations.

    Returns:
        The figures, and Bullet's own answers.

    Raises:
        diffkin.errors.MissingDependencyError: pybullet is not installed.
        diffkin.errors.ModelFileError: PyBullet cannot load the robot.
        diffkin.errors.OptionError: A count below what makes sense.
    """
    for name, value, least in (("configurations", configurations, 1), ("driven", driven, 0), ("compared", compared, 0)):
        if value < least:
            raise OptionError(f"{name} must be at least {least}, got {value}.")
    robot = robot.to(dtype=torch.float64, device="cpu")
    targets, q, success = targets.cpu().double(), q.cpu().double(), success.cpu()
    with open_world() as client:
        arm = load(client, robot)
        samples = robot.sample(configurations, seed=seed)
        distance, angle = compare_poses(arm, samples)
        point = torch.tensor([0.05, -0.08, 0.12], dtype=torch.float64, device="cpu")
        jacobians = max(compare_jacobians(arm, samples), compare_jacobians(arm, samples, point))
        solved = success.nonzero().flatten()
        read = read_back(arm, q[solved], targets[solved])
        own = bullet_ik(arm, targets[:compared])
        simulated = _simulate(arm, q[solved[:driven]], targets[solved[:driven]])
    reached = own.reached(position_tolerance, rotation_tolerance)
    report = BulletReport(
        fk_position_difference_m=distance,
        fk_rotation_difference_rad=angle,
        jacobian_difference=jacobians,
        solution_position_error_m=_worst(read[0]),
        solution_rotation_error_rad=_worst(read[1]),
        simulated_targets=len(simulated[0]),
        simulated_position_error_m=_worst(simulated[0]),
        simulated_rotation_error_rad=_worst(simulated[1]),
        bullet_ik_targets=len(own.q),
        bullet_ik_solved=int((reached & own.within_limits).sum()),
        bullet_ik_reached=int(reached.sum()),
        bullet_ik_limit_violations=int((~own.within_limits).sum()),
        bullet_ik_position_tolerance_m=position_tolerance,
        bullet_ik_rotation_tolerance_rad=rotation_tolerance,
    )
    return report, own


def _simulate(arm: BulletRobot, q: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Drive from the middle of the limits to each configuration in turn; errors where the arm comes to rest."""
    lower, upper = arm.robot.lower, arm.robot.upper
    finite = torch.isfinite(lower) & torch.isfinite(upper)
    arm.reset(torch.where(finite, 0.5 * (lower + upper), torch.zeros_like(lower)))
    tip = arm.robot.link_names[arm.robot.link_index(None)]
    placed = []
    for each in q:
        drive_to(arm, each)
        placed.append(arm.base_pose().inverse() @ arm.link_pose(tip))
    return pose_difference(_stack(placed), targets)


def _check_batch(q: Tensor, robot: Robot) -> None:
    if q.ndim != 2 or q.shape[-1] != robot.dof:
        raise ShapeError(f"q must have shape (n, {robot.dof}), n configurations; got {tuple(q.shape)}.")


def _stack(poses: list[Tensor]) -> Tensor:
    return torch.stack(poses) if poses else torch.zeros(0, 4, 4, dtype=torch.float64, device="cpu")


def _worst(errors: Tensor) -> float | None:
    return float(errors.max()) if len(errors) else None
