"""The robot: a kinematic tree with names and limits, and the calls that users make on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from diffkin import kinematics
from diffkin._checks import as_tensor, check_finite, check_floating, check_last, check_pose, has_values
from diffkin.errors import ChangedError, ModelFileError, OptionError, ShapeError, TopologyError, closest
from diffkin.kinematics import REVOLUTE, KinematicTree
from diffkin.kinematics.center_of_mass import center_of_mass
from diffkin.kinematics.jacobians import jacobian_of_checked
from diffkin.kinematics.kept import Cache, Watch, keep, rebuilt
from diffkin.kinematics.poses import forward_of_checked
from diffkin.robot import frames, sampling
from diffkin.robot.build import build_robot
from diffkin.robot.checks import check_base, check_robot
from diffkin.robot.conversion import converted, wanted
from diffkin.robot.formats.dh import arm_from_dh
from diffkin.robot.formats.mjcf import read_mjcf
from diffkin.robot.formats.srdf import with_srdf
from diffkin.robot.formats.urdf import read_urdf
from diffkin.robot.formats.urdf_write import robot_to_urdf
from diffkin.robot.xml import Model

__all__ = ["Robot", "check_robot_given"]

_TREE_FIELDS = ("origins", "axes", "link_offsets")
_TENSORS = ("lower", "upper", "max_velocity", "max_effort", "link_masses", "link_centers")
_MOST_SHOWN = 12


@dataclass(frozen=True, eq=False, repr=False)
class Robot:
    """A mechanism with named joints and links. It never changes; ``to`` and ``replace`` return a new one.

    It is checked as a whole when it is made, and it notices when one of its tensors is changed in place: calls raise
    ``diffkin.errors.ChangedError`` then.

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
        max_velocity: (dof,) largest speeds [rad/s or m/s], inf where there is no limit.
        max_effort: (dof,) largest torques or forces [Nm or N], inf where there is no limit.
        link_masses: (links,) [kg], NaN where the model does not say. What hangs on a link by joints that are not part
            of the robot is counted to it.
        link_centers: (links, 3) centre of mass of each link in its own frame [m].
        configurations: Named values of ``q``, (dof,) each, from an SRDF file.
        disabled_pairs: Pairs of links that need no check for collision, from an SRDF file; names in order.
        cache: What others derived from the robot, its limits included; a copy starts without. Not to be given.
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
    max_velocity: Float[Tensor, " dof"] = None  # type: ignore[assignment]  # filled in below
    max_effort: Float[Tensor, " dof"] = None  # type: ignore[assignment]
    link_masses: Float[Tensor, " links"] = None  # type: ignore[assignment]
    link_centers: Float[Tensor, "links 3"] = None  # type: ignore[assignment]
    configurations: Mapping[str, Float[Tensor, " dof"]] = field(default_factory=dict)
    disabled_pairs: frozenset[tuple[str, str]] = frozenset()
    cache: Cache = field(init=False, default_factory=lambda: Cache(8))
    _watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.tree, KinematicTree):
            raise OptionError(f"tree must be a KinematicTree, got {type(self.tree).__name__}.")
        like, dof, links = self.tree.origins, self.tree.dof, len(self.tree.link_joint)
        absent: dict[str, Any] = {name: like.detach().new_full((dof,), torch.inf) for name in _TENSORS[2:4]}
        absent |= {"link_masses": like.detach().new_zeros(links), "link_centers": like.detach().new_zeros(links, 3)}
        for name, value in absent.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        check_robot(self)
        kept, watch = keep(*(getattr(self, name) for name in _TENSORS))
        for name, value in zip((*_TENSORS, "_watch"), (*kept, watch), strict=True):
            object.__setattr__(self, name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuilt(self)

    # -- making one -------------------------------------------------------------------------------------------------

    @classmethod
    def from_urdf(
        cls, path_or_xml: Model, base: str | None = None, tip: str | None = None, *, srdf: Model | None = None
    ) -> Robot:
        """Load a URDF.

        A xacro file is expanded first where the package ``xacrodoc`` is installed.

        Args:
            path_or_xml: Path of a file, a ``package://`` address, the XML text itself (str or bytes), or an open file.
            base: Link whose frame poses are given in; the root of the file if None.
            tip: Last link of a serial chain; None takes the whole tree below ``base``.
            srdf: The SRDF file that belongs to it, for ``configurations`` and ``disabled_pairs``; as ``path_or_xml``.

        Returns:
            The robot, float64 on the CPU.

        Raises:
            diffkin.errors.ModelFileError: The file cannot be read or describes a mechanism that cannot be; its
                subclasses tell limits, joints and topology apart.
            diffkin.errors.UnknownNameError: There is no link named ``base`` or ``tip``.
        """
        robot = build_robot(cls, read_urdf(path_or_xml), base, tip)
        return robot if srdf is None else with_srdf(robot, srdf)

    @classmethod
    def from_mjcf(cls, path_or_xml: Model, base: str | None = None, tip: str | None = None) -> Robot:
        """Load a MuJoCo model (MJCF); needs the package ``mujoco``. Arguments, result and errors as ``from_urdf``."""
        return build_robot(cls, read_mjcf(path_or_xml), base, tip)

    @classmethod
    def from_dh(
        cls,
        rows: Any,
        convention: str = "standard",
        kinds: str | None = None,
        lower: Any = None,
        upper: Any = None,
        base: Any = None,
        tool: Any = None,
    ) -> Robot:
        """Make a serial arm from Denavit-Hartenberg parameters; gradients flow to all that is given as tensors.

        Args:
            rows: (n, 4) numbers a [m], alpha [rad], d [m], theta [rad]. The joint's value is added to theta, or to d
                where it slides.
            convention: "standard" (Denavit & Hartenberg 1955) or "modified" (Craig, Introduction to Robotics, ch. 3).
            kinds: A letter for each joint, R (revolute) or P (prismatic), such as "RRPRRR"; all R if None.
            lower: (n,) lower limits [rad or m]; none if None.
            upper: (n,) upper limits [rad or m]; none if None.
            base: (4, 4) pose of the table's first frame in the robot's base; the identity if None.
            tool: (4, 4) pose of the tool in the last frame, the tip ``tool`` then; none if None.

        Returns:
            The robot, float64, with joints ``joint1`` ... and links ``base``, ``link1`` ...

        Raises:
            diffkin.errors.ShapeError: Something has the wrong shape.
            diffkin.errors.NonFiniteError: A number of the table or of a pose is NaN or infinite.
            diffkin.errors.OptionError: Unknown convention, or ``kinds`` that are not R and P, one for each row.
            diffkin.errors.RotationError: ``base`` or ``tool`` is no rigid pose.
            diffkin.errors.LimitsError: A lower limit is above its upper one, or NaN.
        """
        return arm_from_dh(cls, rows, convention, kinds, lower, upper, base, tool)

    def to(self, *arguments: Any, dtype: torch.dtype | None = None, device: torch.device | str | None = None) -> Robot:
        """The same robot in another dtype or on another device, asked for as with ``Tensor.to``.

        Args:
            *arguments: A dtype, a device or its name, or a tensor that has both, in any order.
            dtype: The dtype by name.
            device: The device by name.

        Returns:
            The robot; itself if nothing changes.

        Raises:
            diffkin.errors.DtypeError: No floating-point dtype.
            diffkin.errors.DeviceError: There is no such device.
            diffkin.errors.OptionError: Something else was given.
        """
        return converted(self, *wanted(*arguments, dtype=dtype, device=device))

    def replace(self, **changes: Any) -> Robot:
        """A robot with some attributes changed, checked as a whole; gradients flow to tensors given here.

        Args:
            **changes: Any attribute of ``Robot``, and of its tree ``origins`` (joints, 4, 4), ``axes`` (joints, 3) and
                ``link_offsets`` (links, 4, 4). Tensors, arrays and lists are brought to the robot's dtype and device.

        Returns:
            The new robot.

        Raises:
            diffkin.errors.UnknownNameError: A robot has no such attribute, or no link of that name.
            diffkin.errors.ShapeError: Something has the wrong shape, or names are too few or too many.
            diffkin.errors.LimitsError: A lower limit is above its upper one, or NaN.
            diffkin.errors.RotationError: An origin is not rigid, or an axis has not length one.
            diffkin.errors.NonFiniteError: A number of the geometry is NaN or infinite.
        """
        names = [each.name for each in dataclasses.fields(self) if each.init] + list(_TREE_FIELDS)
        for name in changes:
            if name not in names:
                raise closest(name, names, "attribute of a robot")
        tree = changes.get("tree", self.tree)
        if not isinstance(tree, KinematicTree):
            raise OptionError(f"tree must be a KinematicTree, got {type(tree).__name__}.")
        for name in changes.keys() & {*_TREE_FIELDS, *_TENSORS}:
            given = as_tensor(changes[name], name)
            check_floating(given, name)
            shape = tuple(getattr(tree if name in _TREE_FIELDS else self, name).shape)
            if "tree" not in changes and tuple(given.shape) != shape:
                raise ShapeError(f"{name} must have shape {shape}, got {tuple(given.shape)}.")
            changes[name] = given.to(dtype=tree.dtype, device=tree.device)
        geometry = {name: changes.pop(name) for name in _TREE_FIELDS if name in changes}
        self.check_unchanged()
        if geometry:
            changes["tree"] = dataclasses.replace(tree, **geometry)
        changed = dataclasses.replace(self, **changes)
        if changed.base != self.base:
            check_base(changed)
        return changed

    def with_frame(self, name: str, parent: str, pose: Any, tip: bool = False) -> Robot:
        """The robot with a frame of your own, a tool centre or a camera, as a link like any other.

        Args:
            name: Of the new link.
            parent: The link that it is fixed to.
            pose: (4, 4) pose ``T_parent_frame``, differentiable.
            tip: Whether it becomes the tip.

        Returns:
            The new robot. Its new link has no mass.

        Raises:
            diffkin.errors.UnknownNameError: There is no link ``parent``.
            diffkin.errors.TopologyError: There is a link ``name`` already.
            diffkin.errors.RotationError: ``pose`` is not rigid.
            diffkin.errors.ShapeError: ``pose`` is not (4, 4).
            diffkin.errors.NonFiniteError: ``pose`` holds NaN or infinity.
        """
        return frames.with_frame(self, name, parent, pose, tip)

    def to_urdf(self) -> str:
        """The robot as a URDF, for simulators and viewers: any robot, arms of numbers and MuJoCo models included.

        Links and joints have their names; a joint frame that no link has gets a link ``<joint>_moved``, and a fixed
        joint, or one that follows another, the name of the file or ``<link>_joint``. A robot from a URDF keeps its
        shapes and inertias, with absolute paths of meshes. A link without shapes, in a joint frame where no other has
        any, gets simple ones; a mass whose inertia is not known that of a ball. Where URDF wants a limit and there is
        none, 1e9 stands.

        Returns:
            The text.

        Raises:
            diffkin.errors.ModelFileError: The file that the robot was loaded from is there and cannot be read any more.
        """
        return robot_to_urdf(self)

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
        whole = torch.ones(self.dof, dtype=torch.bool, device="cpu")
        for joint, coordinate in enumerate(self.tree.coordinate):
            turns = self.tree.kinds[joint] == REVOLUTE and float(self.tree.multiplier[joint]).is_integer()
            whole[coordinate] &= turns
        return free & whole.to(free.device)

    @property
    def mass(self) -> Float[Tensor, ""]:
        """() mass of all links [kg], the base's and what its links carry included.

        Raises:
            diffkin.errors.ModelFileError: The model does not let the mass of a link be known.
        """
        self.check_unchanged()
        if has_values(self.link_masses) and bool(torch.isnan(self.link_masses.detach()).any()):
            link = self.link_names[int(torch.isnan(self.link_masses.detach()).nonzero()[0])]
            raise ModelFileError(
                f"The mass of link {link!r} of robot {self.name!r} is not known: its model has an <inertial> that "
                "cannot be, or takes it from a mesh. Correct it there, or give robot.replace(link_masses=...)."
            )
        return self.link_masses.sum()

    def __repr__(self) -> str:
        def listed(names: Sequence[str]) -> str:
            more = f", and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
            return ", ".join(names[:_MOST_SHOWN]) + more

        ends = f"tip={self.tip!r}" if self.tip is not None else f"tip=None, leaves=[{listed(self.leaves)}]"
        return (
            f"Robot({self.name!r}, dof={self.dof}, base={self.base!r}, {ends}, joints=[{listed(self.joint_names)}], "
            f"{len(self.link_names)} links, {str(self.dtype).removeprefix('torch.')} on {self.device})"
        )

    def check_unchanged(self) -> None:
        """Raise ``diffkin.errors.ChangedError`` if a tensor of the robot was changed in place."""
        self.tree.check_unchanged()
        if self._watch.changed() and not any(getattr(self, name).requires_grad for name in _TENSORS):
            raise ChangedError(
                f"Limits or masses of robot {self.name!r} were changed in place, but a robot never changes. Load it "
                "again, and make changed robots by robot.replace(lower=..., upper=...)."
            )

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

        Raises:
            diffkin.errors.OptionError: ``count`` is no whole number or takes more memory than there is, or ``seed`` is
                neither a whole number nor a generator.
        """
        return sampling.sample(self, count, seed)

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
        q, base, _ = self._ready(q, base)
        if links is None:
            return forward_of_checked(self.tree, q, base, self.link_index(None), backend)
        if isinstance(links, str):
            raise OptionError(f"links must be a list of names, got the single name {links!r}. Write links=[{links!r}].")
        if not isinstance(links, Iterable):
            raise OptionError(f"links must be a list of names, got {type(links).__name__}.")
        return forward_of_checked(self.tree, q, base, [self.link_index(link) for link in links], backend)

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
        q, base, point = self._ready(q, base, point)
        index = self.link_index(link)
        return jacobian_of_checked(self.tree, q, base, index, point, frame, method, backend)

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
            diffkin.errors.DiffkinError: As ``jacobian``.
        """
        q, base, point = self._ready(q, base, point)
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
            diffkin.errors.DiffkinError: As ``jacobian``.
        """
        q = self._ready(q)[0]
        return kinematics.manipulability(self.tree, q, self.link_index(link))

    def link_poses(
        self, q: Float[Tensor, "*batch dof"], base: Float[Tensor, "*batch 4 4"] | None = None
    ) -> dict[str, Float[Tensor, "*batch 4 4"]]:
        """Poses of all links by their names, differentiable; arguments and errors as ``forward_kinematics``."""
        q, base, _ = self._ready(q, base)
        poses = kinematics.forward(self.tree, q, range(len(self.link_names)), base)
        return dict(zip(self.link_names, poses.unbind(-3), strict=True))

    def center_of_mass(
        self, q: Float[Tensor, "*batch dof"], base: Float[Tensor, "*batch 4 4"] | None = None
    ) -> Float[Tensor, "*batch 3"]:
        """Centre of mass of all links, differentiable in ``q``, ``base``, the geometry and the masses.

        ``sum m_i p_i / sum m_i`` over the links (Siciliano et al., Robotics: Modelling, Planning and Control, 7.2.2). The
        base's own mass counts, and what links carry by joints that are not part of the robot, at value zero.

        Args:
            q: (*batch, dof) coordinates [rad or m].
            base: (*batch, 4, 4) pose of the base in the world.

        Returns:
            (*batch, 3) [m] in base axes, or in the world's where ``base`` is given.

        Raises:
            diffkin.errors.ModelFileError: No link has a mass, or a mass is not known.
            diffkin.errors.DiffkinError: Otherwise as ``forward_kinematics``.
        """
        q, base, _ = self._ready(q, base)
        whole = self.mass.detach()
        if has_values(whole) and not float(whole) > 0:
            raise ModelFileError(
                f"No link of robot {self.name!r} has a mass, so it has no centre of mass. Add <inertial> to its model, "
                "or give robot.replace(link_masses=..., link_centers=...)."
            )
        return center_of_mass(self.tree, q, self.link_masses, self.link_centers, base)

    def _ready(self, q: Any, base: Any = None, point: Any = None) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Coordinates, base pose and point as tensors, checked."""
        dtype, device = self.tree.dtype, self.tree.device
        q = as_tensor(q, "q", dtype, device)
        check_floating(q, "q")
        if q.ndim == 0 or q.shape[-1] != self.dof:
            raise ShapeError(
                f"q must have shape (*batch, {self.dof}), one number for each of {', '.join(self.joint_names)}; "
                f"got {tuple(q.shape)}."
            )
        check_finite(q, "q")
        if base is not None:
            base = as_tensor(base, "base", dtype, device)
            check_pose(base, "base")
        if point is not None:
            point = as_tensor(point, "point", dtype, device)
            check_last(point, (3,), "point")
            check_finite(point, "point")
        return q, base, point


def check_robot_given(robot: object) -> None:
    """Raise ``diffkin.errors.OptionError`` unless this is a robot."""
    if not isinstance(robot, Robot):
        raise OptionError(f"robot must be a Robot, as diffkin.load_robot(name) gives, got a {type(robot).__name__}.")
