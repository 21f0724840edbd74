"""Why one side may load what the other refuses: the kinds of cases where that is right, each with its reason."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from lxml import etree

__all__ = ["reason"]

_NOT_XML = "it is not well-formed XML, which the other side's parser passes over"
_DOCTYPE = "document types are refused: entities can read files and fill the memory"
_XACRO = "it is xacro, which is expanded or said to be xacro, not read as it stands"
_NOT_ROOT = "a joint with a value of several numbers is not at the root; q cannot hold it, and a part without it loads"
_LARGE = "numbers are NaN, infinite or so large that no mechanism has them; poses of them would not be finite"
_MIMIC = "the judge does not look at what a mimic copies; a robot needs the source"
_LIMITS = "limits are empty or below zero; a robot that cannot be anywhere, or never moves, is refused as a slip"
_NAMES = "a link or joint has an empty name; nobody could ask for it"
_NOT_KINEMATICS = "what is wrong is no part of kinematics, and is not read"
_SPACE = "numbers have other blank space around them than single spaces, which XML allows and people write"
_UNUSED = "what is wrong is said of a joint that has no use for it: limits of a continuous one, a mimic of a fixed one"
_MEMORY = "the judge makes pictures, height fields and key frames as well, which takes all memory"

_REASONS: dict[tuple[str, str], dict[str, str]] = {
    ("urdf", "diffkin"): {
        r"is not well-formed XML|cannot be parsed": _NOT_XML,
        r"There is no model file '[^<]*<|is too large": "text that does not begin with '<' is taken as a path",
        r"nested deeper than": "elements are nested as deeply as in no model",
        r"<!DOCTYPE": _DOCTYPE,
        r"xacro": _XACRO,
        r"joint .* is not at the root": _NOT_ROOT,
        r"above 1e\+100|follows its source by the factor|every number must be finite": _LARGE,
        r"mimics .* does not exist|mimics the \w+ joint|copy each other in a circle|<mimic> that names no joint": _MIMIC,
        r"lower limit .* is above the upper|<limit> \w+ is .* below zero": _LIMITS,
        r"hangs on two joints": "a link hangs on two joints, of which the judge keeps the last without a word",
        r"closed loop of joints": "a circle of links hangs on nothing, and the judge drops it without a word",
        r"a <(link|joint) has no name|a <(link|joint)> has no name": _NAMES,
        r"names no (parent|child) link": _NAMES,
        r"has a zero axis": "an axis is zero, of which the judge computes poses that mean nothing",
        r"has an <axis> with .* and no xyz": "an axis has its numbers under another name, and the judge takes zeros",
        r"quat_xyzw is zero": "a quaternion is zero, and the judge computes poses that mean nothing",
    },
    ("urdf", "judge"): {
        r"XML_ERROR_PARSING_DECLARATION": "a processing instruction, which XML allows anywhere, is refused by the judge",
        r"XML_ERROR_EMPTY_DOCUMENT|XML_ERROR_ELEMENT_DEPTH": "a limit of the judge's parser of XML",
        r"version attribute should be|Invalid 'version'": "the version says what may be in an origin, and nothing else",
        r"limit has no (effort|velocity)": "a limit of effort or speed that is left out is none",
        r"No name given for the robot": "the robot has no name, and is called 'robot'",
        r"Unable to parse component \[\$": _XACRO,
        r"[Ii]nertia": _NOT_KINEMATICS,
        r"(value \(|component \[)[^\])]*[\t\n\r\u00a0\u2003]|value \((\s[^)]*|[^)]*\s)\)": _SPACE,
        r"(dynamics|damping|friction|safety|calibration|rising|falling|soft_|k_position|k_velocity)": _NOT_KINEMATICS,
    },
    ("mjcf", "diffkin"): {
        r"is not well-formed XML|cannot be parsed": _NOT_XML,
        r"There is no model file '[^<]*<|is too large": "text that does not begin with '<' is taken as a path",
        r"nested deeper than": "elements are nested as deeply as in no model",
        r"<!DOCTYPE": _DOCTYPE,
        r"joint .* is not at the root": _NOT_ROOT,
        r"above 1e\+100|follows its source by the factor|every number must be finite": _LARGE,
        r"which MuJoCo cannot normalise": "a quaternion is tiny or huge, and MuJoCo computes poses that mean nothing",
        r"A URDF is loaded by from_urdf": "it is a URDF, which MuJoCo reads too and diffkin by another call",
        r"has no <body>": "it has no bodies, so there is no robot in it",
        r"second or higher order": "a joint follows another by a parabola or more, which a tree does not have",
        r"two equalities drive joint": "two equalities drive one joint, which has one source in a tree",
        r"coupled to others through a tendon": "joints are coupled through a tendon, which a tree does not have",
        r"mimics the \w+ joint|copy each other in a circle": _MIMIC,
        r"has not length one": "an axis is zero, of which MuJoCo computes a joint that does not move",
        r"at most \d+ are read": "it has more bodies, joints and sites than a robot, and takes MuJoCo minutes",
    },
    ("mjcf", "judge"): {
        r"XML_ERROR_PARSING_DECLARATION": "a processing instruction, which XML allows anywhere, is refused by the judge",
        r"XML_ERROR_EMPTY_DOCUMENT|XML_ERROR_ELEMENT_DEPTH": "a limit of the judge's parser of XML",
        r"mass and inertia of moving bodies|inertia must satisfy|\bmass\b|inertia": _NOT_KINEMATICS,
        r"^Not asked: |Caught an unknown exception|[Aa]llocate memory|insufficient memory": _MEMORY,
        r"Error opening file|No such file|mesh|texture|material|hfield": _NOT_KINEMATICS,
        r"attribute '(margin|damping|armature|frictionloss|stiffness|springref|springdamper|sol\w+)'": _NOT_KINEMATICS,
        r"keyframe|sensor|transmission|actuator|bodypair|wrap|tendon|camera|light|plugin|numeric|text|tuple": _NOT_KINEMATICS,
        r"\b(geom|plane size|size)\b|'(geom|motor|position|general|option|flag|size|visual|contact|custom|statistic|exclude)'": _NOT_KINEMATICS,
    },
}


_VALUE = re.compile(
    r"joint \[(?P<joint>.*?)\]: (?P<what>lower|upper|effort|velocity) value \((?P<value>.*?)\) is not", re.DOTALL
)
_EMPTY = re.compile(r"joint \[(?P<joint>.*?)\]: upper position limit .* cannot be smaller", re.DOTALL)
_OF_MIMIC = re.compile(r"Could not parse mimic element for joint  \[(?P<joint>.*?)\]\n", re.DOTALL)
_ENDLESS = {"inf", "+inf", "infinity", "+infinity"}


def _of_limit(message: str, text: str) -> str:
    """Why a limit or a mimic that the judge refuses is right: by the kind of its joint."""
    value, empty, mimic = (pattern.search(message) for pattern in (_VALUE, _EMPTY, _OF_MIMIC))
    found = value or empty or mimic
    if found is None:
        return ""
    root = ElementTree.fromstring(text.strip("\ufeff \t\r\n\0"))
    kinds = {
        each.get("type") for each in root.iter() if each.tag.endswith("joint") and each.get("name") == found["joint"]
    }
    if not kinds & {"revolute", "continuous", "prismatic"}:
        return _UNUSED
    of_range = empty is not None or (value is not None and value["what"] in ("lower", "upper"))
    if of_range and kinds == {"continuous"}:
        return _UNUSED
    if value is not None and value["what"] in ("effort", "velocity") and value["value"].strip().lower() in _ENDLESS:
        return "an infinite limit of effort or speed is none"
    return ""


_AT = re.compile(r"Element '(?P<tag>\w+)', line (?P<line>\d+)")
_OTHER_PARTS = {"actuator", "asset", "contact", "custom", "keyframe", "sensor", "statistic", "tendon", "visual"}


def _of_place(message: str, files: dict[str, str]) -> str:
    """Why the judge alone may refuse an element of MJCF: it stands in a part that says nothing of kinematics."""
    at = _AT.search(message)
    if at is None:
        return ""
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    for text in files.values():
        try:
            root = etree.fromstring(text.strip("\ufeff \t\r\n\0").encode(), parser)
        except etree.XMLSyntaxError:  # another file of the case
            continue
        for each in root.iter(at["tag"]):
            if each.sourceline == int(at["line"]) and {above.tag for above in each.iterancestors()} & _OTHER_PARTS:
                return _NOT_KINEMATICS
    return ""


def reason(kind: str, who: str, message: str, files: dict[str, str]) -> str:
    """Why ``who`` ("diffkin" or "judge") may be alone in refusing a case with this message; empty if it may not."""
    by_kind = ""
    if who == "judge":
        by_kind = _of_limit(message, files["model.urdf"]) if kind == "urdf" else _of_place(message, files)
    return by_kind or next(
        (why for pattern, why in _REASONS[kind, who].items() if re.search(pattern, message, re.DOTALL)), ""
    )
