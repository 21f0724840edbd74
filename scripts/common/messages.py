"""What an error of the configuration means for the user: what was given, what was expected, what to do."""

from __future__ import annotations

import difflib
import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import InterpolationResolutionError, OmegaConfBaseException

from diffkin.errors import DiffkinError

__all__ = ["CONFIGS", "explain", "quoted"]

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
os.environ["DIFFKIN_CONFIGS"] = str(CONFIGS)  # by which a script names the folder of its own subject's presets
_LOADS_FILES = {"robot": "robot.path", "aircraft": "aircraft.path"}
"""Groups whose choices are names of robots, and the key that takes a file."""


def explain(error: Exception, config_name: str) -> str:
    """The message for an error of Hydra, OmegaConf or diffkin.

    Args:
        error: What was raised.
        config_name: Name of the primary configuration.

    Returns:
        What was given, what was expected, what to do.
    """
    if isinstance(error, DiffkinError):
        return str(error)
    chain: list[BaseException] = [error]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    for each in chain:
        if isinstance(each, MissingConfigException) and each.options is not None:
            return _unknown_choice(each)
        if isinstance(each, OverrideParseException):
            return _unreadable(each.override)
    text = "\n".join(str(each) for each in chain)
    ambiguous = re.search(r"Ambiguous value for argument '(.*)'$", text, re.MULTILINE)
    if ambiguous is not None:
        return _unreadable(ambiguous.group(1))
    unknown = re.search(
        r"Could not override '([^']+)'|Key '([^']+)' (?:is )?not in|Could not find match for '?([\w.]+)", text
    )
    if unknown is not None:
        given = next(group for group in unknown.groups() if group)
        if "/" in given:
            return _unknown_group(given, config_name)
        full = re.search(r"full_key: ([\w.]+)", text)
        return _unknown_key(full.group(1) if full and not unknown.group(1) else given, config_name)
    if "Config group override must be a string or a list" in text:
        return _no_choice(config_name)
    merged = re.search(r"Error merging override ([^\n]*)\n\s*([^\n]+)", text)
    if merged is not None:
        reason = merged.group(2).replace("Cannot merge DictConfig with ListConfig", "it is a list, in brackets")
        return f"{merged.group(1)} cannot be taken: {reason}."
    lines = [line.strip() for line in text.splitlines() if line.strip() and "_type=" not in line]
    key = getattr(error, "full_key", None)
    odd = re.search(r"instead returned `(.*)` of type .*: \$\{([\w.]+)\}", text)
    if odd is not None and key:
        behind = "".join(f" It was given as {setting}." for setting in getattr(error, "settings", ()))
        return f"{key} cannot be filled in: {odd.group(2)} is {odd.group(1)}, where a name is wanted.{behind}"
    if isinstance(error, InterpolationResolutionError) and key:
        return f"{key} refers to something that is not there: {lines[0]}."
    return "\n  ".join(dict.fromkeys(lines))


def quoted(key: str, value: str) -> str:
    """A setting as it is written on a command line: its value in quotes where Hydra, all in quotes where the shell needs."""
    plain = re.fullmatch(r"[\w./@%+:-]*", value) is not None
    inner = value if plain else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return shlex.quote(f"{key}={inner}")


def _unreadable(word: str) -> str:
    """What to do about a setting that Hydra's grammar does not take."""
    key, equals, value = word.partition("=")
    if not equals or not re.fullmatch(r"[+~]*[\w./@-]+", key):
        return f"{word!r} is no setting. Write key=value, or group=choice."
    ways = [f"as text, quote it twice, once for the shell and once for Hydra: {quoted(key, value)}"]
    if "," in value:
        ways.append(f"as a list, put it in brackets: {shlex.quote(f'{key}=[{value}]')}")
        ways += [] if {"--multirun", "-m"} & set(sys.argv) else ["to run each of the values, add --multirun"]
    several = "".join(f"\n  {way}" for way in ways)
    signs = "= , : [ ] { } ( ) ' \""
    return f"{word} cannot be read, for its value has characters that mean something to Hydra ({signs}).{several}"


def _no_choice(config_name: str) -> str:
    """What to do about a number where Hydra wants the name of a choice, or a value without a key."""
    words = [word for word in sys.argv[1:] if "=" in word and not word.startswith("--")]
    given = OverridesParser.create().parse_overrides(words)
    word, key = next(
        (str(each.input_line), each.key_or_group)
        for each in given
        if each.key_or_group in ("", *_groups(config_name)) and not isinstance(each.value(), (str, list))
    )
    return (
        f"{word} cannot be taken: a {key} is chosen by its name."
        if key
        else f"{word!r} is no setting. Write key=value."
    )


def _unknown_choice(error: MissingConfigException) -> str:
    file = str(error.missing_cfg_file)
    group, _, name = file.rpartition("/") if file.startswith("hydra/") else file.partition("/")
    choices = list(error.options or [])
    near = difflib.get_close_matches(name, choices, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    key = _LOADS_FILES.get(group)
    path = f" To load a file, write {key}=FILE." if key is not None else ""
    return f"There is no {group} {name!r}.{hint} Choices for {group}: {', '.join(choices)}.{path}"


def _unknown_group(group: str, config_name: str) -> str:
    groups = _groups(config_name)
    near = difflib.get_close_matches(group, groups, n=3, cutoff=0.6)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"{config_name}.py has no group {group!r}.{hint} Its groups: {', '.join(groups)}."


def _unknown_key(key: str, config_name: str) -> str:
    known = list(_known_keys(config_name))
    near = difflib.get_close_matches(key, known, n=3, cutoff=0.6)
    parent = key.rpartition(".")[0]
    beside = [name for name in known if name.rpartition(".")[0] == parent] or known
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"There is no key {key!r}.{hint} Keys there: {', '.join(beside)}."


def _groups(config_name: str) -> list[str]:
    """Groups that the script has choices for."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)):
        choices = compose(config_name, return_hydra_config=True).hydra.runtime.choices
    return [group for group in map(str, choices) if not group.startswith("hydra/")]


def _known_keys(config_name: str) -> Iterator[str]:
    """Keys of the configuration as composed with the groups chosen on the command line, as far as they exist."""
    GlobalHydra.instance().clear()
    groups = [word for word in sys.argv[1:] if re.fullmatch(r"\w+=\w+", word)]
    with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)):
        try:
            config = compose(config_name, overrides=groups)
        except (HydraException, OmegaConfBaseException):
            config = compose(config_name)
    yield from _leaves(config, "")


def _leaves(node: DictConfig, prefix: str) -> Iterator[str]:
    for key in map(str, node):
        below = node._get_node(key)
        if isinstance(below, DictConfig) and not below._is_none():
            yield f"{prefix}{key}"
            yield from _leaves(below, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"
