"""Every row of the page for those who come from pytorch_kinematics: ours runs, and gives what theirs gives."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import torch

import diffkin as dk

PAGE = Path(__file__).parent.parent / "docs" / "coming-from-pytorch-kinematics.md"
ROWS = re.findall(r"^\| `(.+?)` \| `(.+?)` \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    data = pytest.importorskip("pybullet_data")
    text = (Path(data.getDataPath()) / "kuka_iiwa" / "model.urdf").read_text(encoding="utf-8")
    robot = dk.Robot.from_urdf(text, tip="lbr_iiwa_link_7")
    q = robot.sample(4, seed=3)
    angles = torch.tensor([[0.3, -0.2, 0.9], [1.1, 0.4, -0.5], [0.0, 0.7, 0.1], [-2.0, 0.2, 0.3]], dtype=torch.float64)
    return {
        "torch": torch,
        "dk": dk,
        "urdf": text,
        "q": q,
        "T": robot.forward_kinematics(q),
        "p": 0.2 * angles,
        "angles": angles,
        "robot": robot,
    }


def value(code: str, names: dict[str, Any]) -> Any:
    """What an expression gives, or what an assignment leaves."""
    target, _, expression = code.partition(" = ")
    if expression and target.isidentifier():
        names[target] = eval(expression, names)
        return names[target]
    return eval(code, names)


def test_there_are_rows() -> None:
    assert len(ROWS) >= 15


@pytest.mark.parametrize("row", range(len(ROWS)), ids=lambda row: ROWS[row][1][:40])
def test_row(row: int, names: dict[str, Any]) -> None:
    theirs, ours = ROWS[row]
    found = value(ours, names)
    if importlib.util.find_spec("pytorch_kinematics") is None:
        assert found is not None
        return
    import pytorch_kinematics as pk

    names["pk"] = pk
    names.setdefault("chain", pk.build_serial_chain_from_urdf(names["urdf"], "lbr_iiwa_link_7").to(dtype=torch.float64))
    expected = value(theirs, names)
    if isinstance(found, dk.Robot):
        assert list(found.joint_names) == expected.get_joint_parameter_names()
    elif isinstance(found, list):
        assert found == expected
    else:  # their geometry is read in single precision
        torch.testing.assert_close(found, expected.to(found.dtype), rtol=0, atol=2e-6)
    names["chain"] = names["chain"].to(dtype=torch.float64)
