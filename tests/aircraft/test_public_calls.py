"""Walks through every public function of ``diffkin.aircraft``: what all of them keep, whatever the surroundings."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch

from diffkin import aircraft
from tests.aircraft.public_calls import CALLS, call, tensors

every = pytest.mark.parametrize("name", CALLS)

PACKAGE = Path(aircraft.__file__).parent


def test_every_public_name_has_a_call() -> None:
    named = {name.split(" ")[0].split(".")[0] for name in CALLS}
    assert named == set(aircraft.__all__)


@every
def test_autocast_changes_nothing(name: str) -> None:
    function, arguments = call(name, torch.float32)
    expected = list(tensors(function(**arguments)))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = list(tensors(function(**arguments)))
    assert found and len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)  # dtypes too


def test_no_product_that_autocast_rounds() -> None:
    """``_algebra.matmul`` and ``apply`` multiply in the precision of what they are given; these do not."""
    rounded = {
        "matmul",
        "mm",
        "bmm",
        "einsum",
        "linear",
        "addmm",
        "addbmm",
        "baddbmm",
        "mv",
        "tensordot",
        "chain_matmul",
    }
    files = sorted(PACKAGE.rglob("*.py"))
    assert len(files) > 20
    found = []
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.BinOp)
                and isinstance(node.op, ast.MatMult)
                or isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in rounded
            ):
                found.append(f"{file.name}:{node.lineno}")
    assert found == []
