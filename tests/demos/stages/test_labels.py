"""Labels: Chinese for all that the demos show, English as it is."""

import re

import pytest

import diffkin as dk
from diffkin import aircraft
from diffkin.demos.aircraft import AIRCRAFT_MODES, aircraft_demo
from diffkin.demos.arm import make_arm_demo
from diffkin.demos.scene import Demo, Gizmo, Slider
from diffkin.demos.stages.labels import check_language, label
from diffkin.errors import UnknownNameError

CHINESE = re.compile("[\u4e00-\u9fff]")


def shown(demo: Demo) -> set[str]:
    """All texts of a demo that are words: names of joints and of laws are the same everywhere."""
    texts = {reading.name for reading in demo.begin().readings} | {demo.title}
    for control in demo.controls:
        if isinstance(control, Slider) and control.group == "joints" or isinstance(control, Gizmo):
            continue
        texts |= {control.name, getattr(control, "hint", ""), getattr(control, "group", "")}
    return texts - {""}


def demos() -> list[Demo]:
    airframe = aircraft.load_airframe("fixed_wing")
    made: list[Demo] = [aircraft_demo(mode, airframe, sequence="zyz") for mode in AIRCRAFT_MODES]
    scara = dk.load_robot("scara")
    return [*made, *(make_arm_demo(scara, mode) for mode in ("joints", "follow", "circle", "reach"))]


def test_all_that_is_shown_has_a_chinese_label() -> None:
    untranslated = {text for demo in demos() for text in shown(demo) if not CHINESE.search(label(text, "zh"))}
    assert untranslated == set()


def test_english_is_as_it_is() -> None:
    assert label("car speed", "en") == "car speed"
    assert label("some robot's own joint", "zh") == "some robot's own joint"
    assert label("none found, jumps 2", "zh") == "未找到，跳变次数 2"
    assert label("fixed_wing: flight", "zh") == "固定翼: 飞行"


def test_language_is_checked() -> None:
    assert check_language("zh") == "zh"
    with pytest.raises(UnknownNameError, match="en"):
        check_language("fr")
