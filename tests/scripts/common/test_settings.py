"""Typed settings: what fits is taken, all else ends in a message that names the key."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import pytest
from common.settings import check_not_negative, check_positive, choose, typed
from omegaconf import OmegaConf

from diffkin.errors import OptionError, UnknownNameError


@dataclass(frozen=True)
class Part:
    size: float
    names: list[str]


@dataclass(frozen=True)
class Whole:
    part: Part
    count: int
    pair: tuple[float, float]
    path: Optional[str]
    free: dict[str, Any]
    on: bool = True


GOOD: dict[str, Any] = {
    "part": {"size": 2, "names": ["a"]},
    "count": 3,
    "pair": [1, 2],
    "path": None,
    "free": {"x": "y"},
}


def test_what_fits_is_taken_with_whole_numbers_as_floats_and_interpolations_resolved() -> None:
    config = OmegaConf.create({**GOOD, "part": {"size": "${count}", "names": ["a"]}})
    found = typed(Whole, config)
    assert found == Whole(Part(3.0, ["a"]), 3, (1.0, 2.0), None, {"x": "y"})
    assert type(found.part.size) is float


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"count": "many"}, "count must be of type int, got 'many'. Set it with count=..."),
        ({"count": True}, "count must be of type int"),
        ({"count": 1.5}, "count must be of type int"),
        ({"count": None}, "count must be of type int, got None"),
        ({"on": 1}, "on must be of type bool"),
        ({"part": {"size": "big", "names": []}}, "part.size must be of type float"),
        ({"part": {"size": 1.0, "names": ["a", 2]}}, r"part.names\[1\] must be of type str"),
        ({"part": {"size": 1.0, "names": "a"}}, "part.names must be a list"),
        ({"part": {"size": 1.0}}, "part.names is missing. Set it with part.names=..."),
        ({"part": 3}, "part must be values by name"),
        ({"free": 3}, "free must be values by name"),
        ({"path": 3}, "path must be of type str"),
    ],
)
def test_wrong_types(change: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        typed(Whole, {**GOOD, **change})


def test_unknown_names() -> None:
    with pytest.raises(UnknownNameError, match="Unknown setting: 'cuont'. Closest: 'count'"):
        typed(Whole, {**GOOD, "cuont": 3})
    with pytest.raises(UnknownNameError, match="Unknown setting of part: 'sice'"):
        typed(Whole, {**GOOD, "part": {"sice": 3}})


def test_ranges() -> None:
    whole = typed(Whole, {**GOOD, "free": {"rate": -1.0, "left": None}})
    check_positive(whole, "count", "part.size", "free.left", "free.nothing")
    for key in ("free.rate", "free"):
        with pytest.raises(OptionError, match=f"{key} must be a number above zero"):
            check_positive(whole, key)
    check_positive(whole, "part.size", "free.left", most=2.0)
    with pytest.raises(OptionError, match=r"part\.size must be a number above zero and at most 1, got"):
        check_positive(whole, "part.size", most=1.0)
    check_not_negative(whole, "count", "free.left")
    with pytest.raises(OptionError, match=r"part\.size must be a whole number"):
        check_not_negative(whole, "part.size")
    with pytest.raises(UnknownNameError, match="Unknown colour 'rde'"):
        choose("rde", ("red", "blue"), "colour")


def test_scripts_declare_types_that_survive_pickling() -> None:
    scripts = sorted((Path(__file__).resolve().parents[3] / "scripts").glob("*.py"))
    typed_ones = [path for path in scripts if "@dataclass" in path.read_text(encoding="utf-8")]
    assert len(typed_ones) >= 9
    future = "from __future__ import annotations"
    assert [path.name for path in typed_ones if future in path.read_text(encoding="utf-8")] == []
