"""The robot: a kinematic tree with names and limits, and the calls that users make on it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from diffkin import kinematics
from diffkin._checks import check_finite, check_floating, check_last, check_pose
from diffkin.errors import OptionError, ShapeError, TopologyError, closest
from diffkin.kinematics import REVOLUTE, KinematicTree
from diffkin.kinematics.ranges import sampling_range
from diffkin.robot.build import build_robot
from diffkin.robot.dh import read_dh
from diffkin.robot.mjcf import read_mjcf
from diffkin.robot.urdf import read_urdf

__all__ = ["Robot"]

_TREE_FIELDS = {"origins", "axes", "link_offsets"}


@dataclass(frozen=True, eq=False)
class Robot:
    """A mechanism with named joints and links. It never changes; ``to`` and ``replace`` return a new one.

    Attributes:
        name: Name of the robot.
        tree: The mechanism in tensors.
        joint_names: Names of the joints whose values make up ``q``, in the order of ``q``.
        link_names: Names of all links, those behind fixed joints included.
        base: The link in whose frame poses are given.
        tip: The link meant where none is named; None if the tree has several leaves.
        lower: (dof,) lower limits [rad or m], -inf where there is none.
        upper: (dof,) upper limits [rad or m], inf where there is none.
        source: Path or text of the model it was loaded from, for simulators; empty if there is none.
        leaves: Links at the ends of the tree.
    """

    name: str
    tree: KinematicTree
    joint_names: tuple[str, ...]
    link_names: tuple[str, ...]
    base: str
    tip: str | None
    lower: Float[Tensor, " dof"]
    upper: Float[Tensor, " dof"]
    source: str = ""
    leaves: tuple[str, ...] = ()

    # -- making one -------------------------------------------------------------------------------------------------

    @classmethod
    def from_urdf(cls, path_or_xml: str | os.PathLike[str], base: str | None = None, tip: str | None = None) -> Robot:
        """Load a URDF.

        Args:
            path_or_xml: Path of a file, a ``package://`` address, or the XML text itself.
            base: Link whose frame poses are given in; the root of the file if None.
            tip: Last link of a serial chain; None takes the whole tree below ``base``.

        Returns:
            The robot, float64 on the CPU.

        Raises:
            diffkin.errors.ModelFileError: The file cannot be read or describes a mechanism that cannot be; its
                subclasses tell limits, joints and topology apart.
            diffkin.errors.UnknownNameError: There is no link named ``base`` or ``tip``.
        """
        return build_robot(cls, read_urdf(path_or_xml), base, tip)

    @classmethod
    def from_mjcf(cls, path_or_xml: str | os.PathLike[str], base: str | None = None, tip: str | None = None) -> Robot:
        """Load a MuJoCo model (MJCF); needs the package ``mujoco``. Arguments, result and errors as ``from_urdf``."""
        return build_robot(cls, read_mjcf(path_or_xml), base, tip)

    @classmethod
    def from_dh(cls, rows: Any, convention: str = "standard") -> Robot:
        """Make a serial arm of revolute joints from Denavit-Hartenberg parameters.

        Args:
            rows: (n, 4) numbers a [m], alpha [rad], d [m], theta [rad] (added to the joint's angle).
            convention: "standard" (Denavit & Hartenberg 1955) or "modified" (Craig, Introduction to Robotics, ch. 3).

        Returns:
            The robot, float64, with unlimited joints ``joint1`` ... and links ``base``, ``link1`` ...

        Raises:
            diffkin.errors.ShapeError: ``rows`` is not (n, 4).
            diffkin.errors.OptionError: Unknown convention.
        """
        return build_robot(cls, read_dh(rows, convention), None, None)

    def to(self, dtype: torch.dtype | None = None, device: torch.device | str | None = None) -> Robot:
        """The same robot in another dtype or on another device."""
        return dataclasses.replace(
            self,
            tree=self.tree.to(dtype=dtype, device=device),
            lower=self.lower.to(dtype=dtype, device=device),
            upper=self.upper.to(dtype=dtype, device=device),
        )

    def replace(self, **changes: Any) -> Robot:
        """A robot with some attributes changed; gradients flow to tensors given here.

        Args:
            **changes: Any attribute of ``Robot``, and of its tree ``origins`` (joints, 4, 4), ``axes`` (joints, 3) and
                ``link_offsets`` (links, 4, 4).

        Returns:
            The new robot.
        """
        names = {f.name for f in dataclasses.fields(self)} | _TREE_FIELDS
        for name in changes:
            if name not in names:
                raise closest(name, names, "attribute of a robot")
        for name in _TREE_FIELDS & set(changes):
            check_floating(changes[name], name)
            expected = tuple(getattr(self.tree, name).shape)
            if tuple(changes[name].shape) != expected:
                raise ShapeError(f"{name} must have shape {expected}, got {tuple(changes[name].shape)}.")
        for name in {"lower", "upper"} & set(changes):
            check_last(changes[name], (self.dof,), name)
        geometry = {name: changes.pop(name) for name in _TREE_FIELDS & set(changes)}
        if geometry:
            changes["tree"] = dataclasses.replace(changes.get("tree", self.tree), **geometry)
        if changes.get("tip") is not None:
            self.link_index(changes["tip"])
        return dataclasses.replace(self, **changes)

    # -- what it is -------------------------------------------------------------------------------------------------

    @property
    def dof(self) -> int:
        """Length of ``q``."""
        return self.tree.dof

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the geometry and the limits."""
        return self.tree.dtype

    @property
    def device(self) -> torch.device:
        """The device of the geometry and the limits."""
        return self.tree.device

    @property
    def periodic(self) -> Bool[Tensor, " dof"]:
        """(dof,) whether a coordinate may be wrapped by full turns: unlimited, its joints turned by whole turns."""
        free = torch.isinf(self.lower) & torch.isinf(self.upper)
        whole = torch.ones(self.dof, dtype=torch.bool)
        for joint, coordinate in enumerate(self.tree.coordinate):
            turns = self.tree.kinds[joint] == REVOLUTE and float(self.tree.multiplier[joint]).is_integer()
            whole[coordinate] &= turns
        return free & whole.to(free.device)

    def __repr__(self) -> str:
        joints = ", ".join(self.joint_names)
        return f"Robot({self.name!r}, dof={self.dof}, base={self.base!r}, tip={self.tip!r}, joints=[{joints}])"

    def link_index(self, name: str | None) -> int:
        """Index of a link in ``link_names``; of the tip if ``name`` is None."""
        if name is None:
            if self.tip is None:
                raise TopologyError(
                    f"Robot {self.name!r} has no tip: its tree ends in {', '.join(map(repr, self.leaves))}. "
                    "Name a link (link=..., links=[...]), or load it with tip=..."
                )
            name = self.tip
        if name not in self.link_names:
            raise closest(name, self.link_names, f"link of robot {self.name!r}:")
        return self.link_names.index(name)

    def sample(self, count: int, seed: int | torch.Generator = 0) -> Float[Tensor, "count dof"]:
        """Coordinates drawn uniformly within the limits, from -pi to pi [rad or m] where a joint has none.

        Where limits are missing on one side, or wider than two turns (of a slide: a kilometre), from the 2 pi within
        them that lie nearest to zero.

        Args:
            count: How many.
            seed: An integer, or a generator that goes on from where it is.

        Returns:
            (count, dof) coordinates [rad or m].
        """
        if not isinstance(count, int) or count < 0:
            raise OptionError(f"count must be a whole number of samples, got {count!r}.")
        generator = seed if isinstance(seed, torch.Generator) else torch.Generator().manual_seed(seed)
        unit = torch.rand(count, self.dof, generator=generator, dtype=torch.float64, device=generator.device)
        limits = (side.to(device=unit.device, dtype=torch.float64) for side in (self.lower, self.upper))
        low, high = sampling_range(self.tree, *limits)
        drawn = low + unit * (high - low)
        return torch.minimum(torch.maximum(drawn.to(self.lower), self.lower), self.upper)

    # -- poses and derivatives --------------------------------------------------------------------------------------

    def forward_kinematics(
        self,
        q: Float[Tensor, "*batch dof"],
        links: Sequence[str] | None = None,
        base: Float[Tensor, "*batch 4 4"] | None = None,
        *,
        backend: str | None = None,
    ) -> Tensor:
        """Pose of the tip, or of several links, as a differentiable function of the coordinates.

        The product of exponentials along the tree: ``T = base @ prod_j origins[j] @ motion_j(q)`` (Murray, Li & Sastry,
        A Mathematical Introduction to Robotic Manipulation, 3.2).

        Args:
            q: (*batch, dof) coordinates [rad or m].
            links: Names of links; None means the tip alone.
            base: (*batch, 4, 4) pose of the base in the world; the identity if None. Broadcasts with ``q``.
            backend: None, or "reference" to force plain torch operations, where a compiled kernel would answer.

        Returns:
            (*batch, 4, 4) pose ``T_base_tip``, or (*batch, len(links), 4, 4) where links are named; in the frame of the
            world where ``base`` is given.

        Raises:
            diffkin.errors.ShapeError: Wrong last axis.
            diffkin.errors.NonFiniteError: ``q`` or ``base`` holds NaN or infinity.
            diffkin.errors.UnknownNameError: There is no such link.
            diffkin.errors.TopologyError: No links are named and the tree has several leaves.
        """
        self._check(q, base)
        if links is None:
            return kinematics.forward(self.tree, q, self.link_index(None), base, backend=backend)
        if isinstance(links, str):
            raise OptionError(f"links must be a list of names, got the single name {links!r}. Write links=[{links!r}].")
        return kinematics.forward(self.tree, q, [self.link_index(link) for link in links], base, backend=backend)

    def jacobian(
        self,
        q: Float[Tensor, "*batch dof"],
        link: str | None = None,
        point: Float[Tensor, "*batch 3"] | None = None,
        frame: str = "world",
        method: str = "geometric",
        base: Float[Tensor, "*batch 4 4"] | None = None,
        *,
        backend: str | None = None,
    ) -> Float[Tensor, "*batch 6 dof"]:
        """Jacobian of a link: ``(v, omega) = J @ dq/dt``, linear rows first.

        Column j of a revolute joint with axis z through o is ``(z x (p - o), z)``, of a prismatic one ``(z, 0)``
        (Siciliano et al., Robotics: Modelling, Planning and Control, 3.1).

        Args:
            q: (*batch, dof) coordinates [rad or m].
            link: Name of the link; the tip if None.
            point: (3,) or (*batch, 3) point in the link's axes whose velocity the linear rows give [m]; its origin if
                None.
            frame: "world" (axes of the base, or of the world where ``base`` is given) or "local" (of the link).
            method: "geometric", "backward_seeds", "reverse" or "forward"; all agree.
            base: (*batch, 4, 4) pose of the base in the world.
            backend: None, or "reference" to force plain torch operations, where a compiled kernel would answer.

        Returns:
            (*batch, 6, dof) Jacobian.

        Raises:
            diffkin.errors.UnknownNameError: There is no such link, frame or method.
            diffkin.errors.ShapeError: Wrong shape of ``q``, ``point`` or ``base``.
            diffkin.errors.NonFiniteError: NaN or infinity in them.
        """
        self._check(q, base, point)
        index = self.link_index(link)
        return kinematics.jacobian(
            self.tree, q, index, point=point, frame=frame, method=method, base=base, backend=backend
        )

    def hessian(
        self,
        q: Float[Tensor, "*batch dof"],
        link: str | None = None,
        point: Float[Tensor, "*batch 3"] | None = None,
        base: Float[Tensor, "*batch 4 4"] | None = None,
    ) -> Float[Tensor, "*batch 6 dof dof"]:
        """Derivative of the geometric Jacobian, ``H[..., i, j, k] = dJ[..., i, j] / dq[..., k]``, in closed form.

        Haviland & Corke, Manipulator Differential Kinematics, part 2 (IEEE Robotics & Automation Magazine, 2023).

        Args:
            q: (*batch, dof) coordinates [rad or m].
            link: Name of the link; the tip if None.
            point: (3,) or (*batch, 3) point in the link's axes [m]; its origin if None.
            base: (*batch, 4, 4) pose of the base in the world.

        Returns:
            (*batch, 6, dof, dof) Hessian in base axes, or the world's where ``base`` is given.

        Raises:
            As ``jacobian``.
        """
        self._check(q, base, point)
        return kinematics.hessian(self.tree, q, self.link_index(link), point=point, base=base)

    def manipulability(self, q: Float[Tensor, "*batch dof"], link: str | None = None) -> Float[Tensor, "*batch"]:
        """Yoshikawa's manipulability, differentiable.

        ``w = sqrt(det(J J^T))``, with ``det(J^T J)`` for fewer than six coordinates (Yoshikawa, Manipulability of
        Robotic Mechanisms, IJRR 1985). At a singular configuration w is 0 and its gradient is given as 0.

        Args:
            q: (*batch, dof) coordinates [rad or m].
            link: Name of the link; the tip if None.

        Returns:
            (*batch,) manipulability, in the mixed units of the Jacobian's rows.

        Raises:
            As ``jacobian``.
        """
        self._check(q)
        return kinematics.manipulability(self.tree, q, self.link_index(link))

    def _check(self, q: Tensor, base: Tensor | None = None, point: Tensor | None = None) -> None:
        check_floating(q, "q")
        if q.ndim == 0 or q.shape[-1] != self.dof:
            raise ShapeError(
                f"q must have shape (*batch, {self.dof}), one number for each of {', '.join(self.joint_names)}; "
                f"got {tuple(q.shape)}."
            )
        check_finite(q, "q")
        if base is not None:
            check_pose(base, "base")
        if point is not None:
            check_last(point, (3,), "point")
            check_finite(point, "point")
