"""What was given on the command line, and the refusal of what would change nothing."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from common.messages import CONFIGS
from diffkin._given import whole
from diffkin.errors import OptionError

__all__ = ["check_given", "given", "unused", "with_setting", "without_value", "words"]

_MODELS = {"robot": "name", "aircraft": "robot"}
"""Groups of mechanisms, and their key for a name, beside ``path`` for a file."""

_CLASSES = {
    "solver": "name", "network": "name", "filter": "name", "follower": "name", "controller": "kind", "path": "kind",
    "target": "kind",
}  # fmt: skip
"""Groups whose choices have settings of their own each, and the key that alone would keep those of another choice."""

_SEEDS = (-(2**63), 2**63 - 1)  # half of what torch takes: seeds of held-out data are counted on from these


def given() -> dict[str, Any]:
    """Settings and choices of groups by their dotted key, as the command line of this run gives them."""
    if not HydraConfig.initialized():
        return {}
    overrides = OverridesParser.create().parse_overrides(words("task"))
    return {each.key_or_group.replace("/", "."): each.value() for each in overrides}


def words(kind: str) -> list[str]:
    """Words of the command line, of the script's own settings (``task``) or of ``hydra``'s, with references as written."""
    return [str(word) for word in OmegaConf.to_container(HydraConfig.get().overrides[kind], resolve=False) or ()]


def unused(part: str, why: str, *, but: Collection[str] = (), none: bool = False) -> None:
    """Raise if something of a part of the configuration was given, for a reason it would change nothing.

    Args:
        part: A key, or what all keys of a part begin with.
        why: The reason and what to do, a clause.
        but: Names within the part that are used all the same.
        none: Whether zero, false, null and an empty list say just that nothing is wanted, and may stay.

    Raises:
        diffkin.errors.OptionError: It was.
    """
    for key, value in given().items():
        inside = key == part or key.startswith(f"{part}.")
        if inside and key.removeprefix(f"{part}.") not in but and not (none and value in (0, None, [])):
            raise OptionError(f"{key}={value} would change nothing: {why}.")


def with_setting(message: str) -> str:
    """A message of the library, with the settings behind it where it tells a large number but not whose it is."""
    told = [
        f"{key}={value}"
        for key, value in given().items()
        if isinstance(value, (int, float)) and len(str(value)) > 3 and key not in message
        and re.search(rf"(?<![\w.]){re.escape(str(value))}(?![\w.]*\d)", message)
    ]  # fmt: skip
    return f"{message} It was given as {', '.join(told)}." if told else message


def without_value(key: str) -> str:
    """The message for a key with nothing behind its sign."""
    return (
        f"{key}= is given without a value (a variable of the shell that is not set?). Give one, leave it out, or write "
        f"{key}=null for none."
    )


def check_given(cfg: DictConfig) -> None:
    """Raise for what no script takes: an empty value, several choices of one group, a seed that is none, a mechanism both
    by name and by file.

    Args:
        cfg: The composed configuration.

    Raises:
        diffkin.errors.OptionError: There is such a thing.
    """
    values = given()
    for key, value in values.items():
        if isinstance(value, str) and not value.strip():
            raise OptionError(without_value(key))
        if isinstance(value, list) and any((folder / key).is_dir() for folder in _config_folders()):
            several = ",".join(map(str, value))  # which Hydra would lay one over the other
            raise OptionError(
                f"{key}=[{several}] cannot be taken: {key} has one choice. To run each, add --multirun and leave out the "
                "brackets."
            )
    _check_hydra(cfg)
    if "seed" in cfg:
        whole(cfg.seed, "seed", *_SEEDS)
    if not cfg.get("resume"):
        for group, name in _MODELS.items():
            if group in cfg:
                _check_model(cfg, group, name, values)
        for group, name in _CLASSES.items():
            _check_class(group, name, values)


def _config_folders() -> list[Path]:
    """Where the groups of this script lie."""
    return [CONFIGS, *(Path(str(folder).removeprefix("file://")) for folder in HydraConfig.get().searchpath)]


def _check_hydra(cfg: DictConfig) -> None:
    """Raise for settings of Hydra's that this way of running does not use."""
    hydra = HydraConfig.get()
    keys = [word.lstrip("+~").split("=")[0].replace("/", ".") for word in words("hydra")]
    sweep = hydra.mode == RunMode.MULTIRUN
    for key in keys:
        if not sweep and key.split(".")[1] in ("sweep", "sweeper", "launcher"):
            raise OptionError(f"{key} would change nothing: it is for sweeps. Add --multirun.")
        if key == "hydra.run.dir" and (sweep or cfg.get("resume")):
            why = "a sweep writes to hydra.sweep.dir" if sweep else "a run that goes on writes to its own folder"
            raise OptionError(f"hydra.run.dir would change nothing: {why}.")


def _check_class(group: str, name: str, values: dict[str, Any]) -> None:
    """Raise for a choice of a group that is given as the name in its settings."""
    key, value = f"{group}.{name}", values.get(f"{group}.{name}", "")
    if not isinstance(value, str):
        raise OptionError(f"{key} must be a name, got {value!r}. Set it with {key}=...")
    wanted, chosen = value, HydraConfig.get().runtime.choices.get(group)
    known = {file.stem for folder in _config_folders() for file in (folder / group).glob("*.yaml")}
    if wanted != chosen and {wanted, chosen} <= known:  # somebody's own file may have any name
        raise OptionError(f"{key}={wanted} would keep the settings of {chosen}. Write {group}={wanted}.")


def _check_model(cfg: DictConfig, group: str, name: str, values: dict[str, Any]) -> None:
    """Raise where a name and a file are both set and neither gives way."""
    part = cfg[group]
    if not part.get("path") or OmegaConf.is_missing(part, name) or not part.get(name):
        return
    by_path, by_name = f"{group}.path={part.path}", f"{group}.{name}={part[name]}"
    if f"{group}.path" not in values:
        raise OptionError(
            f"The file of {group}={HydraConfig.get().runtime.choices[group]} sets both {name}: {part[name]} and path: "
            f"{part.path}. Delete one of them."
        )
    if f"{group}.{name}" in values or (
        group == "robot" and group in values
    ):  # an aircraft's group holds its limits too
        raise OptionError(f"Both {by_path} and {by_name} are given. Leave one of them out.")
