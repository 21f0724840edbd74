"""Small damages to XML, of the kinds that people, converters and macros do to robot descriptions."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

__all__ = ["NAMES", "NUMBERS", "Damage", "damage_text", "damage_tree", "written"]

NUMBERS = (
    *("nan", "NaN", "-nan", "inf", "-inf", "Infinity", "1e300", "-1e300", "1e308", "1e309", "-1.7976931348623157e308"),
    *(
        "1e-300",
        "1e-320",
        "5e-324",
        "-0",
        "0",
        "0.0",
        "+1",
        "0x10",
        "0x1p3",
        "1,5",
        "1.",
        ".5",
        "1e",
        "e5",
        "--1",
        "1_0",
    ),
    *("１", "½", "1d3", "1.5f", "9" * 400, "0." + "0" * 400 + "1", "", " ", "abc", "${x}", "$(arg x)", "true", "1e2"),
    *(
        "1e6",
        "1e16",
        "-1e16",
        "1e50",
        "1e99",
        "1e101",
        "3.141592653589793",
        "-3.1416",
        "628318.5",
        "1e-9",
        "2",
        "-1",
        "7",
    ),
    *("0.5", "1 2", "1;2", "1e400", "-1e-400", "1e+2", "1E2", "\t1", "1\n", "\u00a01", "1\u2003"),
)
"""What may stand where a number should."""

NAMES = (
    *(
        "",
        " ",
        "a",
        "world",
        "base",
        "link",
        "x" * 5000,
        "名",
        "a b",
        "a/b",
        "a\nb",
        "a\tb",
        "'",
        '"',
        "<a>",
        "&amp;",
        "é",
    ),
    *(
        "${prefix}joint",
        "None",
        "0",
        "-1",
        "joint1",
        "tool",
        "ends ",
        " begins",
        "e\u0301",
        "\u202e",
        "body1",
        "default",
    ),
)
"""What may stand where a name should."""

Damage = Callable[[Element, random.Random], None]


def written(root: Element) -> str:
    """XML text of a tree."""
    return ElementTree.tostring(root, encoding="unicode")


def damage_tree(root: Element, rng: random.Random, own: Sequence[Damage], numeric: Sequence[str]) -> None:
    """One damage: half of them of the format's own, half of those that any tree of elements can have."""
    general = (_number, _number, _number, _numbers, _attribute, _attribute, _delete, _double, _move, _exchange, _retag)
    if rng.random() < 0.5:
        rng.choice(own)(root, rng)
    else:
        change = rng.choice(general)
        if change in (_number, _numbers):
            change(root, rng, numeric)
        else:
            change(root, rng)


def _inner(root: Element) -> list[tuple[Element, Element]]:
    """All elements but the root, with their parents."""
    return [(parent, child) for parent in root.iter() for child in parent]


def _number(root: Element, rng: random.Random, numeric: Sequence[str]) -> None:
    places = [(element, key) for element in root.iter() for key in element.attrib if key in numeric]
    if places:
        element, key = rng.choice(places)
        words = element.attrib[key].split() or [""]
        words[rng.randrange(len(words))] = rng.choice(NUMBERS) if rng.random() < 0.7 else repr(rng.uniform(-4, 4))
        element.attrib[key] = " ".join(words)


def _numbers(root: Element, rng: random.Random, numeric: Sequence[str]) -> None:
    places = [(element, key) for element in root.iter() for key in element.attrib if key in numeric]
    if not places:
        return
    element, key = rng.choice(places)
    words = element.attrib[key].split() or [""]
    choice = rng.randrange(6)
    if choice == 0:
        words = words[:-1]
    elif choice == 1:
        words = [*words, rng.choice(("0", "1", "abc"))]
    elif choice == 2:
        words = ["0"] * len(words)
    elif choice == 3:
        words = [rng.choice(NUMBERS) for _ in words]
    elif choice == 4:
        words = [repr(10.0 ** rng.uniform(-20, 20)) for _ in words]
    element.attrib[key] = rng.choice((" ", "  ", "\t", "\n", ",", "\u00a0")).join(words)


def _attribute(root: Element, rng: random.Random) -> None:
    places = [(element, key) for element in root.iter() for key in element.attrib]
    if not places:
        return
    element, key = rng.choice(places)
    value = element.attrib[key]
    choice = rng.randrange(5)
    if choice == 0:
        del element.attrib[key]
    elif choice == 1:
        element.attrib[key] = rng.choice(NAMES)
    elif choice == 2:
        other, other_key = rng.choice(places)
        element.attrib[key] = other.attrib.get(other_key, "")
    elif choice == 3:
        del element.attrib[key]
        element.attrib[rng.choice((key.upper(), key + "s", "unknown"))] = value
    else:
        element.attrib[key] = rng.choice((value.upper(), value + " ", " " + value, value * 2))


def _delete(root: Element, rng: random.Random) -> None:
    pairs = _inner(root)
    if pairs:
        parent, child = rng.choice(pairs)
        parent.remove(child)


def _double(root: Element, rng: random.Random) -> None:
    pairs = _inner(root)
    if pairs:
        parent, child = rng.choice(pairs)
        twin = copy.deepcopy(child)
        if rng.random() < 0.5:
            for element in twin.iter():
                if "name" in element.attrib:
                    element.attrib["name"] += "_twin"
        parent.insert(rng.randrange(len(parent) + 1), twin)


def _move(root: Element, rng: random.Random) -> None:
    pairs = _inner(root)
    if pairs:
        parent, child = rng.choice(pairs)
        inside = {id(element) for element in child.iter()}
        target = rng.choice([element for element in root.iter() if id(element) not in inside])
        parent.remove(child)
        target.insert(rng.randrange(len(target) + 1), child)


def _exchange(root: Element, rng: random.Random) -> None:
    pairs = _inner(root)
    if pairs:
        parent, _ = rng.choice(pairs)
        children = list(parent)
        rng.shuffle(children)
        parent[:] = children


def _retag(root: Element, rng: random.Random) -> None:
    elements = list(root.iter())
    element = rng.choice(elements)
    choice = rng.randrange(4)
    if choice == 0:
        element.tag = rng.choice(elements).tag
    elif choice == 1:
        element.tag = element.tag.capitalize()
    elif choice == 2:
        element.text = rng.choice(("words", "0 0 0", " "))
    else:
        element.tag = rng.choice(("unknown", "sdf", "joint", "link", "body", "robot", "mujoco"))


def damage_text(text: str, rng: random.Random) -> str:
    """One damage to the text itself, which is mostly no XML any more or has more of XML than a model needs."""
    place = rng.randrange(len(text) + 1)
    choice = rng.randrange(14)
    root_end = text.find(">")
    if choice == 0:
        return text[:place]
    if choice == 1:
        return text[:place] + rng.choice("<>&\"'=/ \x00\x07é\ud7ff名") + text[place:]
    if choice == 2:
        return text[:place] + text[place + rng.randrange(1, 40) :]
    if choice == 3:
        return '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>' + text
    if choice == 4:
        return (
            f'<?xml version="{rng.choice(("1.0", "1.1", "2"))}" encoding="{rng.choice(("utf-8", "latin-1", "x"))}"?>'
            + text
        )
    if choice == 5:
        return rng.choice(("\ufeff", "\n\n", " ", "\0", "words ")) + text + rng.choice(("", "\0", "\n", "more", text))
    if choice == 6:
        return text[:root_end].rstrip("/") + ' xmlns="http://example.com/a"' + text[root_end:]
    if choice == 7:
        return text[: root_end + 1] + "<!-- a -- comment? -->" + text[root_end + 1 :]
    if choice == 8:
        return text[: root_end + 1] + "<!-- a comment --><?pi x?><![CDATA[ <link> ]]>" + text[root_end + 1 :]
    if choice == 9:
        depth = rng.choice((50, 300, 5000))
        return text[: root_end + 1] + "<frame>" * depth + "</frame>" * depth + text[root_end + 1 :]
    if choice == 10:
        return text.replace('"', "'") if "'" not in text else text
    if choice == 11:
        word = rng.choice(text.split() or [""])
        return text.replace(word, rng.choice(NUMBERS)) if 3 < len(word) < 50 else text
    if choice == 12:
        return text.replace(" ", rng.choice(("\n", "\t", "  ", "\r\n", "\u00a0")))
    return (
        text[: root_end + 1]
        + f'<u:extra xmlns:u="urn:u" u:name="{"y" * rng.choice((1, 100000))}"/>'
        + text[root_end + 1 :]
    )
