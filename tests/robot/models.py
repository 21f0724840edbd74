"""URDF text of small robots for the tests of loading."""

from __future__ import annotations

LIMIT = '<limit lower="-1" upper="2"/>'


def urdf(*joints: str, links: str | None = None) -> str:
    """A URDF from lines "name kind parent child [mimic-source multiplier offset]", joints one metre along x, axes z."""
    text, names = [], []
    for line in joints:
        name, kind, parent, child, *mimic = line.split()
        names += [parent, child]
        copied = '<mimic joint="{}" multiplier="{}" offset="{}"/>'.format(*mimic) if mimic else ""
        text.append(
            f'<joint name="{name}" type="{kind}"><parent link="{parent}"/><child link="{child}"/><origin xyz="1 0 0"/>'
            f'<axis xyz="0 0 1"/>{LIMIT}{copied}</joint>'
        )
    found = links.split() if links is not None else dict.fromkeys(names)
    return f'<robot name="r">{"".join(f"<link name={link!r}/>" for link in found)}{"".join(text)}</robot>'


TREE = urdf(
    "left revolute root l1",
    "right revolute root r1",
    "left2 prismatic l1 l2",
    "glue fixed l2 l3",
    "left3 continuous l3 l4",
    "camera fixed l1 eye",
    "right2 revolute r1 r2",
)
