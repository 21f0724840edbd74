"""What the links of a robot look like: the boxes, cylinders, spheres and meshes of its URDF, as triangles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray

from diffkin.demos.scene import Color
from diffkin.errors import MissingDependencyError, ModelFileError
from diffkin.robot import Robot
from diffkin.robot.formats.urdf import read_urdf
from diffkin.robot.formats.xacro import expanded
from diffkin.robot.xml import find_file, open_document
from diffkin.rotations import euler_to_matrix, rotvec_to_matrix

__all__ = ["GREY", "LinkShape", "link_shapes"]

GREY = (0.62, 0.66, 0.72)
"""The colour of what has none."""

_WHITE = (1.0, 1.0, 1.0)

_SMOOTH = np.radians(35.0)  # edges sharper than that stay sharp
_MOST_SMOOTHED = 20_000  # faces; a finer mesh looks smooth as it is


@dataclass(frozen=True, eq=False)
class LinkShape:
    """One coloured piece of a robot.

    Attributes:
        link: The link of the robot that carries it.
        vertices: (n, 3) in the link's axes [m].
        faces: (m, 3) indices of vertices.
        color: Red, green and blue, 0 to 1.
        skin: The same piece as a ``trimesh.Trimesh`` that carries the texture or the colours of its faces, where its file
            gives it any; None where it has one colour.
    """

    link: str
    vertices: Float[NDArray[np.float64], "n 3"]
    faces: Int[NDArray[np.int64], "m 3"]
    color: Color
    skin: Any = None


def link_shapes(robot: Robot) -> tuple[LinkShape, ...]:
    """The visual geometry of all links, those included that hang on the robot by joints that it leaves out.

    Such links (the fingers behind an arm's tip, for instance) stay where their joints' values are nearest to zero.

    Args:
        robot: Any robot. One that came from no URDF is drawn by the simple shapes of ``robot.to_urdf()``.

    Returns:
        Its pieces, one for each link and colour. Meshes that cannot be found are left out. As in PyBullet a texture is
        multiplied by the URDF's colour; colours of single faces are shown where the URDF gives none.

    Raises:
        diffkin.errors.ModelFileError: The model file is there no more.
    """
    shapes = _shapes_of(robot, _urdf_source(robot))
    return shapes or _shapes_of(robot, robot.to_urdf())


def _urdf_source(robot: Robot) -> str:
    """Path or text of a URDF."""
    if robot.source and open_document(robot.source).root.tag == "robot":
        return robot.source
    return robot.to_urdf()


def _shapes_of(robot: Robot, source: str) -> tuple[LinkShape, ...]:
    document = expanded(open_document(source, "robot"))
    folder = None if document.is_text else Path(document.source).parent
    palette = {element.get("name"): _rgb(element) for element in document.root.findall("material")}
    carriers = _carriers(robot, source)
    gathered: dict[tuple[str, Color, int | None], list[Any]] = {}
    for element in document.root.findall("link"):
        if (name := element.get("name")) not in carriers:
            continue
        carrier, placed = carriers[name]
        for visual in element.findall("visual"):
            color = _color(visual.find("material"), palette)
            for mesh, own in _meshes(visual.find("geometry"), folder):
                mesh.apply_transform(placed @ _origin(visual.find("origin")))
                paint = _paint_of(mesh, color)
                shown = color or (own if paint is None else _WHITE) or GREY
                gathered.setdefault((carrier, shown, paint), []).append(mesh)
    return tuple(_piece(carrier, color, meshes, paint) for (carrier, color, paint), meshes in gathered.items())


def _carriers(robot: Robot, source: str) -> dict[str, tuple[str, NDArray[np.float64]]]:
    """Of every link of the file that moves with a link of the robot: that one, and the (4, 4) pose of the link in it.

    Those are the robot's own, those fixed to them on either side, and what hangs on them by joints that are not the
    robot's.
    """
    found = {link: (link, np.eye(4)) for link in robot.link_names}
    joints = read_urdf(source).joints
    fixed = [joint for joint in joints if joint.kind == "fixed"]
    loose = [joint for joint in joints if joint.kind != "fixed" and joint.name not in robot.joint_names]
    for among in (fixed, [*fixed, *loose]):
        grown = True
        while grown:
            grown = False
            for joint in among:
                pose = joint.origin @ _motion(joint)
                for known, new, step in (
                    (joint.parent, joint.child, pose),
                    (joint.child, joint.parent, np.linalg.inv(pose) if joint.kind == "fixed" else None),
                ):
                    if known in found and new not in found and step is not None:
                        found[new] = (found[known][0], found[known][1] @ step)
                        grown = True
    return found


def _motion(joint: Any) -> NDArray[np.float64]:
    """(4, 4) what a joint does at the value nearest to zero within its limits."""
    motion = np.eye(4)
    value = float(np.clip(0.0, joint.lower, joint.upper))
    if joint.kind == "prismatic":
        motion[:3, 3] = value * joint.axis
    elif joint.kind in ("revolute", "continuous"):
        motion[:3, :3] = rotvec_to_matrix(torch.from_numpy(value * joint.axis)).numpy()
    return motion


def _meshes(geometry: Any, folder: Path | None) -> Iterator[tuple[Any, Color | None]]:
    """The meshes of one ``<geometry>``, and the colours that a mesh file gives them."""
    trimesh = _trimesh()
    for shape in () if geometry is None else geometry:
        if shape.tag == "box":
            yield trimesh.creation.box(extents=_numbers(shape.get("size"))), None
        elif shape.tag == "sphere":
            yield trimesh.creation.icosphere(subdivisions=3, radius=float(shape.get("radius"))), None
        elif shape.tag in ("cylinder", "capsule"):
            make = getattr(trimesh.creation, shape.tag)
            yield make(radius=float(shape.get("radius")), height=float(shape.get("length"))), None
        elif shape.tag == "mesh" and (file := _find_mesh(shape.get("filename"), folder)) is not None:
            scene = trimesh.load_scene(file)
            scale = np.diag([*np.broadcast_to(_numbers(shape.get("scale") or "1"), 3), 1.0])
            for node in scene.graph.nodes_geometry:
                at, name = scene.graph[node]
                mesh: Any = scene.geometry[name].copy()
                if hasattr(mesh, "faces"):
                    mesh.apply_transform(scale @ at)
                    yield mesh, _own_color(mesh)


def _trimesh() -> Any:
    try:
        import trimesh
    except ImportError as error:
        raise MissingDependencyError(
            "Shapes of links need trimesh, which is not installed and comes with the browser's stage. Install it with "
            "`pip install 'diffkin[viewer]'`."
        ) from error
    return trimesh


def _find_mesh(address: str | None, folder: Path | None) -> Path | None:
    """A mesh's file. The name of a package may stand for the model's folder or for one above or beside it."""
    address = (address or "").removeprefix("file://")
    inside = address.removeprefix("package://").removeprefix("model://")
    tries = [Path(inside)] if inside == address else []
    if folder is not None:
        folders = (folder, *folder.parents[:4])
        tails = (inside,) if inside == address else (inside, inside.partition("/")[2])
        tries += [where / tail for where in folders for tail in tails if tail]
    return next((path for path in tries if path.is_file()), None) or _in_packages(address)


def _in_packages(address: str) -> Path | None:
    if not address.startswith("package://"):
        return None
    try:
        return find_file(address)
    except ModelFileError:  # a picture does without the mesh
        return None


def _piece(link: str, color: Color, meshes: list[Any], paint: int | None) -> LinkShape:
    trimesh = _trimesh()
    skin = None if paint is None else _skin(color, meshes)
    mesh: Any = trimesh.util.concatenate([trimesh.Trimesh(part.vertices, part.faces) for part in meshes])
    if len(mesh.faces) <= _MOST_SMOOTHED:
        mesh = trimesh.graph.smooth_shade(mesh, angle=_SMOOTH)
    return LinkShape(link, np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64), color, skin)


def _paint_of(mesh: Any, color: Color | None) -> int | None:
    """A number that meshes with one and the same texture share; None for what has one colour."""
    image = _texture(mesh)
    if image is not None:
        return hash((image.size, image.tobytes()))
    kinds = ("face", "vertex") if color is None else ()
    return 0 if mesh.visual.kind in kinds and len(np.unique(mesh.visual.face_colors, axis=0)) > 1 else None


def _texture(mesh: Any) -> Any:
    """The picture that covers a mesh; None without one."""
    material = getattr(mesh.visual, "material", None)
    image = getattr(material, "image", None) or getattr(material, "baseColorTexture", None)
    return None if image is None or getattr(mesh.visual, "uv", None) is None else image.convert("RGB")


def _skin(color: Color, meshes: list[Any]) -> Any:
    """Meshes of one texture, or with colours of their faces, as one mesh that looks like them."""
    trimesh = _trimesh()
    image = _texture(meshes[0])
    if image is None:
        parts = [mesh.copy() for mesh in meshes]
        for part in parts:
            part.unmerge_vertices()  # or colours of neighbouring faces would run into each other
        return trimesh.util.concatenate(parts)
    material = trimesh.visual.material.PBRMaterial(
        baseColorTexture=image, baseColorFactor=[*color, 1.0], metallicFactor=0.0, roughnessFactor=0.8, doubleSided=True
    )
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    return trimesh.Trimesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts)]),
        vertex_normals=np.concatenate([mesh.vertex_normals for mesh in meshes]),
        visual=trimesh.visual.TextureVisuals(np.concatenate([mesh.visual.uv for mesh in meshes]), material),
        process=False,
    )


def _own_color(mesh: Any) -> Color | None:
    """The colour in a mesh file, if it has one."""
    visual = mesh.visual
    if not getattr(visual, "defined", False):
        return None
    main = visual.material.main_color if hasattr(visual, "material") else visual.main_color
    red, green, blue = (float(value) / 255.0 for value in main[:3])
    return red, green, blue


def _color(material: Any, palette: dict[str, Color | None]) -> Color | None:
    if material is None:
        return None
    return _rgb(material) or palette.get(material.get("name"))


def _rgb(material: Any) -> Color | None:
    found = material.find("color")
    if found is None:
        return None
    red, green, blue = _numbers(found.get("rgba"))[:3]
    return float(red), float(green), float(blue)


def _origin(element: Any) -> NDArray[np.float64]:
    pose = np.eye(4)
    if element is not None:
        pose[:3, 3] = _numbers(element.get("xyz") or "0 0 0")
        angles = torch.tensor(_numbers(element.get("rpy") or "0 0 0"), dtype=torch.float64, device="cpu")
        pose[:3, :3] = euler_to_matrix(angles, "xyz").numpy()
    return pose


def _numbers(text: str) -> NDArray[np.float64]:
    return np.array([float(word) for word in text.split()], dtype=np.float64)
