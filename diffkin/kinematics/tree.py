"""The kinematic tree: what a mechanism is once names and files are gone."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from diffkin._algebra import matmul
from diffkin._checks import as_device, check_dtype
from diffkin.errors import ChangedError
from diffkin.kinematics.kept import Cache, Watch, keep, outside_modes, rebuilt

__all__ = ["PRISMATIC", "REVOLUTE", "KinematicTree"]

REVOLUTE = 0
PRISMATIC = 1


@dataclass(frozen=True, eq=False)
class KinematicTree:
    """Moving joints in topological order, and the links that ride on them. Fixed joints are folded away.

    Joint ``j`` has the pose ``T_parent_joint = origins[j] @ motion(axes[j], value_j)``, where the value is
    ``multiplier[j] * q[coordinate[j]] + offset[j]``: a rotation about the axis [rad] for a revolute joint, a
    translation along it [m] for a prismatic one. Link ``l`` has the pose ``T_base_joint @ link_offsets[l]`` with the
    joint ``link_joint[l]``, or ``link_offsets[l]`` itself where that is -1, the base.

    Attributes:
        parents: Index of each joint's parent joint, -1 for the base. Parents come before their children.
        kinds: ``REVOLUTE`` or ``PRISMATIC`` for each joint.
        coordinate: Which entry of ``q`` drives each joint. Mimic joints share one.
        multiplier: Factor from the coordinate to the joint's value, 1 unless the joint mimics.
        offset: Added to the joint's value [rad or m], 0 unless the joint mimics.
        dof: Length of ``q``.
        link_joint: The joint that carries each link, -1 for the base.
        origins: (joints, 4, 4) pose of each joint in its parent joint's frame at value zero.
        axes: (joints, 3) unit axis of each joint in its own frame.
        link_offsets: (links, 4, 4) pose of each link in the frame of its joint.
        dtype: Of the geometry. Not to be given, nor is what follows.
        device: Of the geometry.
        cache: What others derived from the tree (kernel plans), kept as long as the tree.
        watch: Tells whether its tensors were changed in place.
    """

    parents: tuple[int, ...]
    kinds: tuple[int, ...]
    coordinate: tuple[int, ...]
    multiplier: tuple[float, ...]
    offset: tuple[float, ...]
    dof: int
    link_joint: tuple[int, ...]
    origins: Tensor
    axes: Tensor
    link_offsets: Tensor
    dtype: torch.dtype = field(init=False, repr=False)
    device: torch.device = field(init=False, repr=False)
    cache: Cache = field(init=False, repr=False, default_factory=Cache)
    watch: Watch = field(init=False, repr=False)
    _constants: tuple[Tensor, Tensor] | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        kept, watch = keep(self.origins, self.axes, self.link_offsets)
        for name, value in zip(("origins", "axes", "link_offsets", "watch"), (*kept, watch), strict=True):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "dtype", self.origins.dtype)
        object.__setattr__(self, "device", self.origins.device)
        if not self.has_gradient:
            object.__setattr__(self, "_constants", self.derive())

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuilt(self)

    def __repr__(self) -> str:
        kinds = [self.kinds.count(REVOLUTE), self.kinds.count(PRISMATIC)]
        shown = ", ".join(f"{count} {name}" for count, name in zip(kinds, ("revolute", "prismatic")) if count)
        number = str(self.dtype).removeprefix("torch.")
        return (
            f"KinematicTree({self.joints} joints{f' ({shown})' if shown else ''}, dof={self.dof}, "
            f"{len(self.link_joint)} links, {number} on {self.device})"
        )

    @property
    def joints(self) -> int:
        """How many joints move."""
        return len(self.parents)

    @property
    def has_gradient(self) -> bool:
        """Whether gradients are asked for with respect to origins, axes or link offsets."""
        return self.origins.requires_grad or self.axes.requires_grad or self.link_offsets.requires_grad

    @property
    def steps(self) -> Tensor | None:
        """(joints, 6, 6) what the forward pass multiplies by, see ``derive``.

        None where gradients flow to the geometry: then it is derived in each call, so that every call has a graph of
        its own to go backward through.
        """
        return None if self._constants is None or self.has_gradient else self._constants[0]

    @property
    def mounts(self) -> Tensor | None:
        """(links, 4, 6) likewise the links from the rows of their joints."""
        return None if self._constants is None or self.has_gradient else self._constants[1]

    def check_unchanged(self) -> None:
        """Raise ``diffkin.errors.ChangedError`` if its tensors were changed in place and something is kept of them."""
        if self.watch.changed() and not self.has_gradient:
            raise ChangedError(
                "Origins, axes or link offsets were changed in place, but a robot never changes: what was made from "
                "them no longer fits. Load it again, and make changed robots by robot.replace(origins=...)."
            )

    def to(self, dtype: torch.dtype | None = None, device: torch.device | str | None = None) -> KinematicTree:
        """The same tree with its tensors in another dtype or on another device.

        Raises:
            diffkin.errors.DtypeError: The dtype is no floating-point dtype of torch.
            diffkin.errors.DeviceError: There is no such device.
        """
        if dtype is not None:
            check_dtype(dtype)
        if device is not None:
            device = as_device(device)
        if dtype in (None, self.dtype) and device in (None, self.device):
            return self
        return dataclasses.replace(
            self,
            origins=self.origins.to(dtype=dtype, device=device),
            axes=self.axes.to(dtype=dtype, device=device),
            link_offsets=self.link_offsets.to(dtype=dtype, device=device),
        )

    def in_dtype(self, dtype: torch.dtype) -> KinematicTree:
        """The same tree in another dtype, made once, so that what is cached on it is kept too."""
        return self if dtype == self.dtype else self._made_once(dtype, dtype=dtype)

    def on(self, device: torch.device) -> KinematicTree:
        """The same tree on another device, made once."""
        return self if device == self.device else self._made_once(device, device=device)

    def _made_once(self, key: torch.dtype | torch.device, **change: Any) -> KinematicTree:
        if self.has_gradient:
            return self.to(**change)
        if key not in self.cache:
            self.cache[key] = self.to(**change)
        return self.cache[key]

    def path(self, joint: int) -> tuple[int, ...]:
        """The joints from the base to ``joint``, that joint included; empty for -1."""
        way: list[int] = []
        while joint >= 0:
            way.append(joint)
            joint = self.parents[joint]
        return tuple(reversed(way))

    def derive(self) -> tuple[Tensor, Tensor]:
        """The constants of the forward pass, in joint frames turned so that every axis is z.

        A frame is kept as six rows that its axes and origin are sums of, so that a joint moves it by one product with
        ``(c, c, s, s, 1, 1)``. The rows of a revolute joint at angle 0 are ``x, y, y, -x, z, o``: times cosine and sine,
        the first and third, and the second and fourth, add up to the axes turned. Those of a prismatic joint are
        ``x, y, 0, z, z, o``, times ``(1, 1, v, v, 1, 1)``: the fourth and last add up to the origin moved by v.

        Returns:
            ``steps`` (joints, 6, 6): the rows of a joint before its motion from those of its parent after its own.
            ``mounts`` (links, 4, 6): the axes x, y, z and the origin of each link from the rows of its joint.
        """
        if self.has_gradient:
            return self._derive()  # the way back is walked under autocast too, and matmul knows how
        with outside_modes(self.device.type):
            return self._derive()

    def _derive(self) -> tuple[Tensor, Tensor]:
        turn = _turn_z_to(self.axes)
        root = torch.eye(3, dtype=self.dtype, device=self.device)[None]
        padded = torch.cat((turn, root))  # index -1 is the base
        sums = torch.tensor(
            [*(_SUMS[kind] for kind in self.kinds), _SUMS[REVOLUTE]], dtype=self.dtype, device=self.device
        )
        parents, carriers = list(self.parents), list(self.link_joint)
        before = padded[parents].transpose(-1, -2)
        rotation = matmul(matmul(before, self.origins[:, :3, :3]), turn)
        x, y, z = rotation.unbind(-1)
        origin = matmul(before, self.origins[:, :3, 3:])[..., 0]
        revolute = torch.stack((x, y, y, -x, z, origin), dim=-2)
        prismatic = torch.stack((x, y, torch.zeros_like(z), z, z, origin), dim=-2)
        slides = torch.tensor([kind == PRISMATIC for kind in self.kinds], dtype=torch.bool, device=self.device)
        steps = matmul(_homogeneous(torch.where(slides[:, None, None], prismatic, revolute)), sums[parents])
        mounts = matmul(padded[carriers].mT, self.link_offsets[:, :3, :]).mT
        return steps, matmul(_homogeneous(mounts), sums[carriers])


_SUMS = {  # x, y, z and origin of a joint's frame as sums of its six rows
    REVOLUTE: [[1, 0, 1, 0, 0, 0], [0, 1, 0, 1, 0, 0], [0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 1]],
    PRISMATIC: [[1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0], [0, 0, 0, 1, 0, 1]],
}


def _homogeneous(rows: Tensor) -> Tensor:
    """A fourth coordinate to rows (n, k, 3): 1 for the last, which is a point, 0 for the others, which are directions."""
    last = torch.zeros_like(rows[..., :1])
    last[:, -1] = 1.0
    return torch.cat((rows, last), dim=-1)


def _turn_z_to(axes: Tensor) -> Tensor:
    """Rotations (n, 3, 3) whose third column is the given axis; exactly the identity for z."""
    near_x = axes[:, :1].abs() > 0.9
    x, y = torch.eye(2, 3, dtype=axes.dtype, device=axes.device)
    helper = torch.where(near_x, y, x)
    first = helper - (helper * axes).sum(-1, keepdim=True) * axes
    first = first / first.norm(dim=-1, keepdim=True)
    return torch.stack((first, torch.linalg.cross(axes, first), axes), dim=-1)
