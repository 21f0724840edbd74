"""Aircraft in PyBullet: an airframe at an attitude, its points, rays and Jacobians as Bullet has them, and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from torch import Tensor

from diffkin.aircraft import (
    Airframe,
    RayTarget,
    attitude_ned_frd_to_enu_flu,
    enu_to_ned,
    ned_to_enu,
    point_jacobian,
    ray_jacobian,
    turn_to,
)
from diffkin.errors import ModelFileError
from diffkin.rotations import matrix_to_quat_xyzw, rotvec_to_matrix
from diffkin.simulation.bullet_robot import BulletRobot, load
from diffkin.simulation.library import bullet
from diffkin.simulation.pictures import Camera, fitted
from diffkin.simulation.world import open_world
from diffkin.transforms import pose

__all__ = [
    "AirframeReport",
    "BulletAirframe",
    "compare_airframe",
    "measure_pointing",
    "open_airframe",
    "picture",
]


@dataclass(frozen=True, eq=False)
class BulletAirframe:
    """An airframe that lives in a PyBullet world (ENU, its base link FLU); all that goes in and out is NED and FRD.

    Attributes:
        airframe: The airframe as diffkin knows it.
        body: The same in Bullet.
    """

    airframe: Airframe
    body: BulletRobot

    def reset(
        self,
        R_ned_body: Float[Tensor, "3 3"],
        position: Float[Tensor, " 3"] | None = None,
        q: Float[Tensor, " dof"] | None = None,
    ) -> None:
        """Put the aircraft at an attitude, a NED position [m] and hinge angles [rad], at rest, without simulating."""
        place = (
            torch.zeros(3, dtype=torch.float64, device="cpu") if position is None else position.detach().double().cpu()
        )
        rotation = attitude_ned_frd_to_enu_flu(R_ned_body.detach().double().cpu())
        placed = pose(rotation, ned_to_enu(place)) @ self.body.inertial_frame(self.airframe.robot.base)
        bullet().resetBasePositionAndOrientation(
            self.body.body,
            placed[:3, 3].tolist(),
            matrix_to_quat_xyzw(placed[:3, :3]).tolist(),
            physicsClientId=self.body.client,
        )
        self.body.reset(self.airframe.neutral() if q is None else q)

    def point(self, name: str) -> Float[Tensor, " 3"]:
        """NED position of a named point [m]."""
        mark = self.airframe.point(name)
        return enu_to_ned(_carry(self.body.link_pose(mark.link), mark.offset))

    def ray(self, name: str) -> tuple[Float[Tensor, " 3"], Float[Tensor, " 3"]]:
        """NED origin [m] and unit direction of a named ray."""
        mark = self.airframe.ray(name)
        placed = self.body.link_pose(mark.link)
        axis = placed[:3, :3] @ torch.tensor(mark.axis, dtype=torch.float64, device="cpu")
        return enu_to_ned(_carry(placed, mark.offset)), enu_to_ned(axis / torch.linalg.vector_norm(axis))


@dataclass(frozen=True)
class AirframeReport:
    """Agreement of an airframe with PyBullet.

    Attributes:
        point_difference_m: Largest distance between our and Bullet's place of any point.
        ray_difference_rad: Largest angle between our and Bullet's direction of any ray.
        jacobian_difference: Largest difference of any entry of any point's or ray's Jacobian from finite differences
            through Bullet.
    """

    point_difference_m: float
    ray_difference_rad: float
    jacobian_difference: float


@contextmanager
def open_airframe(airframe: Airframe) -> Iterator[BulletAirframe]:
    """An airframe in a world of its own, without gravity, closed at the end.

    Args:
        airframe: An airframe loaded from a URDF, its base the root of the file.

    Yields:
        The airframe in Bullet.

    Raises:
        diffkin.errors.MissingDependencyError: pybullet is not installed.
        diffkin.errors.ModelFileError: PyBullet cannot load the robot, or its base is not the root of the file.
    """
    exact = airframe.to(dtype=torch.float64, device="cpu")
    with open_world(gravity=0.0) as client:
        body = load(client, exact.robot)
        if body.links[exact.robot.base] != -1:
            raise ModelFileError(
                f"The base {exact.robot.base!r} of airframe {exact.robot.name!r} is not the root of its file, which is "
                "what PyBullet moves. Load the robot without base=..."
            )
        yield BulletAirframe(exact, body)


def compare_airframe(
    flying: BulletAirframe,
    R_ned_body: Float[Tensor, "n 3 3"],
    position: Float[Tensor, "n 3"],
    q: Float[Tensor, "n dof"],
    jacobians: int | None = None,
) -> AirframeReport:
    """Points, rays and Jacobians against Bullet.

    Args:
        flying: The airframe in Bullet.
        R_ned_body: (n, 3, 3) attitudes.
        position: (n, 3) NED positions [m].
        q: (n, dof) hinge and gimbal angles [rad].
        jacobians: At how many of them, from the first on, Jacobians are compared; all if None.

    Returns:
        The largest differences.
    """
    airframe = flying.airframe
    R_ned_body, position, q = R_ned_body.double(), position.double(), q.double()
    points = airframe.points_ned(R_ned_body, position, q)
    _, rays = airframe.rays_ned(R_ned_body, position, q)
    worst_point = worst_ray = worst_jacobian = 0.0
    for k, (rotation, place, angles) in enumerate(zip(R_ned_body, position, q)):
        flying.reset(rotation, place, angles)
        measured = torch.stack([flying.point(name) for name in airframe.points])
        worst_point = max(worst_point, float((points[k] - measured).norm(dim=-1).max()))
        directions = torch.stack([flying.ray(name)[1] for name in airframe.rays])
        worst_ray = max(worst_ray, float(torch.linalg.cross(rays[k], directions).norm(dim=-1).max()))
        if jacobians is None or k < jacobians:
            worst_jacobian = max(worst_jacobian, _compare_jacobians(flying, rotation, place, angles))
    return AirframeReport(worst_point, worst_ray, worst_jacobian)


def measure_pointing(
    flying: BulletAirframe,
    target: RayTarget,
    R_ned_body: Float[Tensor, "n 3 3"],
    position: Float[Tensor, " 3"],
    q: Float[Tensor, "n dof"],
) -> Float[Tensor, " n"]:
    """Set answers in Bullet and measure there how far the ray is from its target.

    Args:
        flying: The airframe in Bullet.
        target: What the ray is to point at, one target or n.
        R_ned_body: (n, 3, 3) attitudes.
        position: (3,) NED position of the aircraft [m]. The aircraft itself is set at the origin, because Bullet keeps
            too few digits far away.
        q: (n, dof) hinge and gimbal angles [rad].

    Returns:
        (n,) angles [rad].
    """
    angles = []
    for k, (rotation, hinges) in enumerate(zip(R_ned_body, q)):
        flying.reset(rotation, None, hinges)
        origin, axis = flying.ray(target.ray)
        goal = target.toward(origin + position)
        goal = goal[k] if goal.ndim == 2 else goal
        angles.append(turn_to(goal / goal.norm(), axis).norm())
    return torch.stack(angles) if angles else torch.zeros(0, dtype=torch.float64, device="cpu")


def _compare_jacobians(flying: BulletAirframe, rotation: Tensor, place: Tensor, q: Tensor, step: float = 2e-3) -> float:
    """Largest difference of any Jacobian from fourth-order differences of what Bullet says."""
    airframe = flying.airframe
    columns = []
    for column in range(6 + airframe.dof):
        samples = []
        for shift in (-2.0, -1.0, 1.0, 2.0):
            moved = torch.zeros(6 + airframe.dof, dtype=torch.float64, device="cpu")
            moved[column] = shift * step
            flying.reset(rotation @ rotvec_to_matrix(moved[:3]), place + moved[3:6], q + moved[6:])
            samples.append(_measure(flying))
        far_back, back, front, far_front = samples
        columns.append((far_back - 8.0 * back + 8.0 * front - far_front) / (12.0 * step))
    measured = torch.stack(columns, dim=-1)
    rows = [point_jacobian(airframe, name, rotation, place, q) for name in airframe.points]
    rows += [ray_jacobian(airframe, name, rotation, place, q) for name in airframe.rays]
    return float((measured - torch.cat(rows)).abs().max())


def _measure(flying: BulletAirframe) -> Tensor:
    """Points, then origin and direction of rays, one after the other."""
    parts = [flying.point(name) for name in flying.airframe.points]
    for name in flying.airframe.rays:
        parts += flying.ray(name)
    return torch.cat(parts)


def _carry(placed: Tensor, offset: Sequence[float]) -> Tensor:
    return placed[:3, :3] @ torch.tensor(offset, dtype=torch.float64, device="cpu") + placed[:3, 3]


# -- pictures -------------------------------------------------------------------------------------------------------

_FIELD_OF_VIEW_DEG = 50.0


def picture(
    flying: BulletAirframe,
    R_ned_body: Float[Tensor, "3 3"],
    q: Float[Tensor, " dof"] | None = None,
    ray: str | None = None,
    size: tuple[int, int] = (480, 360),
    yaw_deg: float = 40.0,
    pitch_deg: float = -20.0,
) -> UInt8[NDArray[np.uint8], "height width 3"]:
    """A picture of the aircraft at an attitude, by Bullet's software renderer; needs no display.

    Args:
        flying: The airframe in Bullet.
        R_ned_body: (3, 3) attitude.
        q: (dof,) hinge and gimbal angles [rad]; neutral if None.
        ray: Draw this ray as a row of red beads.
        size: Width and height [pixels].
        yaw_deg: From where to look: 0 from the south, 90 from the east.
        pitch_deg: From how far above, negative.

    Returns:
        (height, width, 3) colours.
    """
    p, client = bullet(), flying.body.client
    flying.reset(R_ned_body, None, q)
    reach = max(float(flying.airframe.points_body(q).norm(dim=-1).max()), 0.1) + 0.15
    beads = []
    if ray is not None:
        origin, direction = (ned_to_enu(vector) for vector in flying.ray(ray))
        shape = p.createVisualShape(
            p.GEOM_SPHERE, radius=0.02 * reach, rgbaColor=(0.9, 0.1, 0.1, 1.0), physicsClientId=client
        )
        for k in range(1, 13):
            place = (origin + 0.08 * k * reach * direction).tolist()
            beads.append(p.createMultiBody(0.0, -1, shape, place, physicsClientId=client))
    camera = Camera((0.0, 0.0, 0.0), 2.1 * reach, yaw_deg, pitch_deg, _FIELD_OF_VIEW_DEG)
    if ray is not None:  # the beads are to be seen as a whole
        camera = fitted(client, camera, size[0] / size[1])
    view = p.computeViewMatrixFromYawPitchRoll(camera.target, camera.distance, yaw_deg, pitch_deg, 0.0, 2)
    lens = p.computeProjectionMatrixFOV(_FIELD_OF_VIEW_DEG, size[0] / size[1], 0.05 * reach, 20.0 * reach)
    _, _, colours, _, _ = p.getCameraImage(
        *size, view, lens, renderer=p.ER_TINY_RENDERER, flags=p.ER_NO_SEGMENTATION_MASK, physicsClientId=client
    )
    for bead in beads:
        p.removeBody(bead, physicsClientId=client)
    return np.asarray(colours, dtype=np.uint8).reshape(size[1], size[0], 4)[..., :3]
