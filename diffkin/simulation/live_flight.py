"""A flight in PyBullet that goes on step by step, for demos that people play with."""

from __future__ import annotations

from contextlib import ExitStack

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._algebra import apply
from diffkin._checks import check_last
from diffkin.aircraft import Airframe, attitude_enu_flu_to_ned_frd, attitude_ned_frd_to_enu_flu, frd_to_flu
from diffkin.simulation.bullet_robot import urdf_file
from diffkin.simulation.flights import load_flying
from diffkin.simulation.free_bodies import BULLET_DAMPING, read_attitudes
from diffkin.simulation.library import bullet
from diffkin.simulation.world import TIME_STEP, open_world

__all__ = ["LiveFlight"]


class LiveFlight:
    """One aircraft in a PyBullet world of its own, turned by torques on its base as in ``fly``. Close it when done.

    Args:
        airframe: An airframe loaded from a URDF.
        R_ned_body: (3, 3) attitude at the start, where it rests.
        q: (dof,) where hinges and gimbal are held [rad]; neutral if None.
        dt: Step [s].
        damping: Bullet's angular damping [1/s].

    Raises:
        diffkin.errors.MissingDependencyError: pybullet is not installed.
    """

    def __init__(
        self,
        airframe: Airframe,
        R_ned_body: Float[Tensor, "3 3"],
        q: Float[Tensor, " dof"] | None = None,
        *,
        dt: float = TIME_STEP,
        damping: float = BULLET_DAMPING,
    ) -> None:
        exact = airframe.to(dtype=torch.float64, device="cpu")
        start = attitude_ned_frd_to_enu_flu(R_ned_body.detach().double())
        angles = exact.neutral() if q is None else q.detach().double()
        with ExitStack() as stack:
            self._client = stack.enter_context(open_world(gravity=0.0))
            path = stack.enter_context(urdf_file(exact.robot))
            bullet().setTimeStep(dt, physicsClientId=self._client)
            loaded = load_flying(self._client, exact, path, start, [0.0, 0.0, 0.0], angles, damping)
            self._body, self._inertial = loaded
            self._open = stack.pop_all()  # closed by close()

    @property
    def state(self) -> tuple[Float[Tensor, "3 3"], Float[Tensor, " 3"]]:
        """Attitude ``R_ned_body`` (3, 3) and angular velocity (3,) in FRD body axes [rad/s]."""
        flu, rate = self._flu()
        return attitude_enu_flu_to_ned_frd(flu), frd_to_flu(apply(flu.mT, rate))

    def step(self, torque: Float[Tensor, " 3"]) -> tuple[Float[Tensor, "3 3"], Float[Tensor, " 3"]]:
        """One step of Bullet's dynamics.

        Args:
            torque: (3,) in FRD body axes [N m].

        Returns:
            The state after it.

        Raises:
            diffkin.errors.ShapeError: The torque is not (3,).
        """
        check_last(torque, (3,), "torque")
        p, (flu, _) = bullet(), self._flu()
        world = apply(flu, frd_to_flu(torque.detach().double())).tolist()
        p.applyExternalTorque(self._body, -1, world, p.WORLD_FRAME, physicsClientId=self._client)
        p.stepSimulation(physicsClientId=self._client)
        return self.state

    def close(self) -> None:
        """Close the world."""
        self._open.close()

    def _flu(self) -> tuple[Tensor, Tensor]:
        rotation, rate = read_attitudes(self._client, [self._body])
        return rotation[0] @ self._inertial.mT, rate[0]
