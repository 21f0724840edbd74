"""The part of a MuJoCo model that describes a mechanism, taken out before MuJoCo sees it, and what it would cost.

MuJoCo makes all of a model, pictures and key frames too, and copies what is said to be repeated as often as is said. So
includes are read here, everything that is not kinematics is left out, and what remains is counted with its copies.
"""

from __future__ import annotations

import copy
import os
import warnings
from dataclasses import dataclass, field
from typing import Any

from diffkin.errors import ModelFileError
from diffkin.robot.xml import MAX_BYTES, Document, open_document

__all__ = ["MOST_ELEMENTS", "Parts", "take_parts"]

MOST_ELEMENTS = 6000
"""Bodies, joints and sites, copies counted, of a model that is read. MuJoCo takes seconds for them, and minutes for five
times as many. The largest robots have some hundred."""

_LEFT_OUT = {  # sections, and what else never matters; the rest is kept, so that MuJoCo refuses what it does not know
    *("size", "option", "statistic", "visual", "custom", "extension", "deformable", "contact", "actuator", "sensor"),
    *("keyframe", "camera", "light", "plugin", "skin", "lengthrange"),
}
_ASSETS_LEFT_OUT = {"mesh", "hfield", "texture", "material", "skin"}
_DEFAULTS_LEFT_OUT = {  # by name too, so that a misspelt <joint> is refused
    *(
        "mesh",
        "texture",
        "material",
        "camera",
        "light",
        "pair",
        "general",
        "motor",
        "position",
        "velocity",
        "intvelocity",
    ),
    *("orientation", "pid", "damper", "cylinder", "muscle", "adhesion", "dcmotor", "plugin"),
}
_DYNAMICS = (  # of a joint; not looked at
    *("damping", "armature", "frictionloss", "stiffness", "springref", "springdamper", "margin"),
    *("solreflimit", "solimplimit", "solreffriction", "solimpfriction", "actuatorgravcomp"),
)
_COUNTED = {"body", "joint", "freejoint", "site", "frame", "geom"}
_COMPILER_LEFT_OUT = {  # the rest is kept, so that MuJoCo refuses a misspelt one
    *("alignfree", "assetdir", "conflict", "convexhull", "discardvisual", "exactmeshinertia", "fitaabb", "fusestatic"),
    *(
        "meshdir",
        "passthrough",
        "savecanonical",
        "savecompiled",
        "saveinertial",
        "strippath",
        "texturedir",
        "usethread",
    ),
}
_COMPILER_OF_MASSES = (
    "settotalmass",
    "balanceinertia",
    "boundmass",
    "boundinertia",
    "inertiafromgeom",
    "inertiagrouprange",
)
_FINITE = ("body", "joint", "freejoint", "site", "frame", "replicate", "compiler")
_NAMES = ("name", "class", "childclass", "prefix", "file", "model")


@dataclass(frozen=True, eq=False)
class Parts:
    """A model without what is not kinematics.

    Attributes:
        root: Its root element, with the shapes that masses are computed of.
        models: The models that it attaches, by the name of their file.
        cost: Bodies, joints and sites, copies counted.
        shapes: Shapes, copies counted.
    """

    root: Any
    models: dict[str, Parts] = field(default_factory=dict)
    cost: int = 0
    shapes: int = 0

    def text(self, shapes: bool, renamed: dict[str, str] | None = None) -> str:
        """The XML text, with or without shapes; files of attached models are called by new names."""
        from lxml import etree

        root = copy.deepcopy(self.root)
        unwanted = [] if shapes else [*root.iter("geom"), *root.iter("inertial")]
        for element in unwanted:
            element.getparent().remove(element)
        for element in root.iter("model"):
            element.set("file", (renamed or {}).get(element.get("file"), element.get("file") or ""))
        for element in root.iter("compiler"):
            for key in _COMPILER_LEFT_OUT | (set() if shapes else {*_COMPILER_OF_MASSES}):
                element.attrib.pop(key, None)
        return str(etree.tostring(root, encoding="unicode"))


def take_parts(document: Document) -> Parts:
    """Read what a model includes and attaches, take out what is not kinematics, and count what remains.

    Args:
        document: With the root ``<mujoco>``.

    Returns:
        The parts.

    Raises:
        diffkin.errors.ModelFileError: It includes or attaches what cannot be read, or itself, holds NaN or infinity, or
            more than ``MOST_ELEMENTS``.
    """
    parts = _take(document, _Reading(document))
    if parts.cost > MOST_ELEMENTS:
        raise ModelFileError(
            f"{document.label} describes {parts.cost} bodies, joints and sites, copies of <replicate> counted; at most "
            f"{MOST_ELEMENTS} are read. Take the robot out into a model of its own."
        )
    return parts


class _Reading:
    """What has been read so far of a model in several files."""

    def __init__(self, document: Document) -> None:
        self.folder = None if document.is_text else os.path.dirname(document.source)
        self.left = MAX_BYTES
        self.above = [] if document.is_text else [document.source]

    def open(self, element: Any, document: Document, what: str, *tags: str) -> Document:
        """The document in another file; ``what`` says what the element does with it."""
        where = f"{document.label}, line {element.sourceline}"
        name = element.get("file")
        if not name:
            raise ModelFileError(f"{where}: <{element.tag}> names no file. Write file=...")
        if self.folder is None or document.is_text:
            raise ModelFileError(f"{document.label} {what} another file, {name!r:.80}. Give the path of the model.")
        folders = (
            self.folder,
            os.path.dirname(document.source),
        )  # of the model, as MuJoCo has it, and of the file itself
        path = next((path for folder in folders if os.path.isfile(path := os.path.join(folder, name))), None)
        if path is None:
            raise ModelFileError(f"{where}: there is no file {name!r:.80} in {self.folder}, which the model {what}.")
        self.left -= os.path.getsize(path)
        if self.left < 0:
            raise ModelFileError(f"{document.label}: the files of the model have more than {MAX_BYTES} bytes together.")
        return open_document(path, *tags)


def _take(document: Document, reading: _Reading) -> Parts:
    root = copy.deepcopy(document.root)
    _include(root, document, reading)
    _check_finite(root, document.label)
    models: dict[str, Parts] = {}
    names: dict[str, Parts] = {}
    for element in root.iter("model"):
        other = reading.open(element, document, "attaches", "mujoco", "robot")
        if other.root.tag == "robot":
            raise ModelFileError(f"{document.label} attaches the URDF {other.label}. Load that by itself.")
        if other.source in reading.above:
            raise ModelFileError(f"{other.label} attaches itself. Remove the circle.")
        reading.above.append(other.source)
        part = models[element.get("file")] = _take(other, reading)
        reading.above.pop()
        names[element.get("name") or other.root.get("model") or ""] = part
    _leave_out(root, document.label)
    return Parts(root, models, *_count(root, names))


def _include(root: Any, document: Document, reading: _Reading) -> None:
    """Put the elements of included files in the place of ``<include>``."""
    seen: set[str] = set()
    origins = {element: document for element in root.iter("include")}
    while origins:
        element, source = origins.popitem()
        other = reading.open(element, source, "includes")
        if other.source in seen or other.source == document.source:
            raise ModelFileError(f"{document.label} includes {other.source} twice. Remove one of them.")
        seen.add(other.source)
        parent, place = element.getparent(), element.getparent().index(element)
        parent.remove(element)
        for offset, child in enumerate(list(copy.deepcopy(other.root))):
            parent.insert(place + offset, child)
            origins |= dict.fromkeys(child.iter("include"), other)


def _check_finite(root: Any, label: str) -> None:
    """Raise for NaN and infinity, of which MuJoCo would only warn."""
    for element in root.iter(*_FINITE):
        for key, text in element.attrib.items():
            if key in _NAMES or key in _DYNAMICS:
                continue
            if element.tag == "joint" and key == "range" and _is_open(text):
                continue
            if any(word.lower().lstrip("+-") in ("nan", "inf", "infinity") for word in text.split()):
                raise ModelFileError(
                    f"{label}, line {element.sourceline}: {key} of <{element.tag}> is {text[:60]!r}; every "
                    "number must be finite. Write a finite number."
                )


def _is_open(text: str) -> bool:
    """Whether a range is infinite to one or both sides, which is no limit there."""
    try:
        lower, upper = map(float, text.split())
    except ValueError:
        return False
    return lower < upper


def _leave_out(root: Any, label: str) -> None:
    unwanted = [element for element in root.iter() if element.tag in _LEFT_OUT and element is not root]
    for section in root.iterchildren("asset"):
        unwanted += [element for element in section if element.tag in _ASSETS_LEFT_OUT]
    for section in root.iter("default"):
        unwanted += [element for element in section if element.tag in _DEFAULTS_LEFT_OUT]
    for element in unwanted:
        if element.getparent() is not None:
            element.getparent().remove(element)
    for element in root.iter():
        element.attrib.pop("material", None)
    for section in root.iterchildren("worldbody", "default"):
        for element in section.iter("joint", "freejoint"):
            for key in _DYNAMICS:
                element.attrib.pop(key, None)
    _keep_couplings(root, label)


def _keep_couplings(root: Any, label: str) -> None:
    """Of equalities those that couple joints, by themselves or by tendons of joints alone."""
    tendons = [tendon for section in root.iterchildren("tendon") for tendon in section]
    fixed = {tendon.get("name") for tendon in tendons if tendon.tag == "fixed"}
    used: set[str | None] = set()
    for equality in [equality for section in root.iterchildren("equality") for equality in section]:
        pair = {equality.get(key) for key in ("tendon1", "tendon2")} - {None}
        if equality.tag == "tendon" and pair <= fixed:
            used |= pair
            continue
        named = pair <= {tendon.get("name") for tendon in tendons}
        if equality.tag == "tendon" and not named and root.find("asset/model") is None:
            continue  # MuJoCo says which there is not
        if equality.tag == "tendon" and named:
            warnings.warn(
                f"{label}: the equality of the tendons {', '.join(map(repr, sorted(map(str, pair))))}, which pass along "
                "sites, closes a loop; a robot is a tree, and leaves it out.",
                stacklevel=2,
            )
        if equality.tag in ("connect", "weld", "tendon", "flex", "flexvert", "flexstrain", "distance"):
            equality.getparent().remove(equality)
    for tendon in tendons:
        if tendon.get("name") not in used:
            tendon.getparent().remove(tendon)


def _count(root: Any, models: dict[str, Parts]) -> tuple[int, int]:
    """Bodies, joints and sites, and shapes, with all copies."""
    cost = shapes = 0
    waiting = [(element, 1) for element in root]
    while waiting:
        element, copies = waiting.pop()
        if element.tag in _COUNTED:
            shapes, cost = (shapes + copies, cost) if element.tag == "geom" else (shapes, cost + copies)
        elif element.tag == "replicate":
            copies *= max(0, _whole(element.get("count")))
            cost += copies
        elif element.tag in ("composite", "flexcomp"):
            counts = [max(1, _whole(word)) for word in (element.get("count") or "").split()[:4]]
            made = copies
            for count in counts:
                made *= count
            cost += 4 * made  # a body and three slides each
        elif element.tag == "attach" and element.get("model") in models:
            part = models[element.get("model")]
            cost, shapes = cost + copies * part.cost, shapes + copies * part.shapes
        waiting += [(child, copies) for child in element]
    return cost, shapes


def _whole(text: str | None) -> int:
    """A whole number as MuJoCo reads it; what is none is left for it to refuse."""
    try:
        return int(float(text or "1")) if len(text or "") < 400 else 1
    except (ValueError, OverflowError):
        return 1
