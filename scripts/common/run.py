"""What all scripts share: running a Hydra main so that mistakes of the user end in a message, not in a traceback."""

from __future__ import annotations

import difflib
import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import hydra
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from diffkin.errors import DiffkinError, OptionError

__all__ = ["CONFIGS", "as_dict", "check_positive", "require", "run_folder", "run_main", "write_json"]

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
SCHEMA = "schema_"
"""Prefix of the names of typed schemas in the groups; they are no choices of the user."""


def run_main(job: Callable[[Any], Any], config_name: str) -> None:
    """Run ``job`` with the configuration composed from ``configs/`` and the command line.

    A mistake of the user (an unknown choice, a misspelt key, a value of the wrong type or out of range, a file that
    cannot be read) ends in one message on stderr that names the choices, and exit code 1. Anything else is a bug and
    keeps its traceback.

    Args:
        job: Called with the configuration.
        config_name: Name of the primary configuration in ``configs/``.
    """
    # Hydra would print some of these errors itself, without the choices; it hands them on where this is set.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    try:
        hydra.main(config_path=str(CONFIGS), config_name=config_name, version_base="1.3")(job)()
    except KeyboardInterrupt:
        _stop("Stopped.", 130)
    except (HydraException, OmegaConfBaseException, DiffkinError) as error:
        _stop(f"Error: {_explain(error, config_name)}", 1)
    except (TypeError, ValueError) as error:
        if not _raised_by_hydra(error):
            raise
        _stop(f"Error: {error}", 1)


def _raised_by_hydra(error: BaseException) -> bool:
    """Whether Hydra itself refused what it was given, as it does ``robot=null``."""
    frames = list(traceback.walk_tb(error.__traceback__))
    return bool(frames) and str(frames[-1][0].f_globals.get("__name__", "")).split(".")[0] == "hydra"


def _stop(message: str, code: int) -> None:
    sys.stdout.flush()
    print(message, file=sys.stderr)
    sys.exit(code)


def _explain(error: Exception, config_name: str) -> str:
    """What was given, what was expected, what to do."""
    if isinstance(error, DiffkinError):
        return str(error)
    chain: list[BaseException] = [error]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    for each in chain:
        if isinstance(each, MissingConfigException) and each.options is not None:
            return _unknown_choice(each)
    text = "\n".join(str(each) for each in chain)
    unknown = re.search(
        r"Could not override '([^']+)'|Key '([^']+)' (?:is )?not in|Could not find match for '?([\w.]+)", text
    )
    if unknown is not None:
        given = next(group for group in unknown.groups() if group)
        full = re.search(r"full_key: ([\w.]+)", text)
        return _unknown_key(full.group(1) if full and not unknown.group(1) else given, config_name)
    lines = [line.strip() for line in text.splitlines() if line.strip() and "_type=" not in line]
    return "\n  ".join(dict.fromkeys(lines))


def _unknown_choice(error: MissingConfigException) -> str:
    group, _, name = str(error.missing_cfg_file).partition("/")
    choices = [option for option in error.options or [] if not option.startswith(SCHEMA)]
    near = difflib.get_close_matches(name, choices, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    path = " To load a file, write robot.path=FILE." if group == "robot" else ""
    return f"There is no {group} {name!r}.{hint} Choices for {group}: {', '.join(choices)}.{path}"


def _unknown_key(key: str, config_name: str) -> str:
    known = list(_known_keys(config_name))
    near = difflib.get_close_matches(key, known, n=3, cutoff=0.6)
    parent = key.rpartition(".")[0]
    beside = [name for name in known if name.rpartition(".")[0] == parent] or known
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"There is no key {key!r}.{hint} Keys there: {', '.join(beside)}."


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


def as_dict(config: Any) -> dict[str, Any]:
    """A part of the configuration as a plain dictionary, interpolations resolved."""
    return {str(key): value for key, value in dict(OmegaConf.to_container(config, resolve=True)).items()}  # type: ignore[arg-type]


def check_positive(config: DictConfig, *keys: str) -> None:
    """Raise unless the values of these keys (dotted paths) are numbers above zero, or null.

    Args:
        config: The configuration.
        *keys: Dotted paths.

    Raises:
        diffkin.errors.OptionError: One is not.
    """
    for key in keys:
        value = OmegaConf.select(config, key)
        require(value is None or 0 < value < float("inf"), key, value, "a number above zero")


def require(holds: bool, key: str, value: object, expected: str) -> None:
    """Raise an error that names a key, its value and what was expected, unless ``holds``."""
    if not holds:
        raise OptionError(f"{key} must be {expected}, got {value!r}. Set it with {key}=...")


def run_folder() -> Path:
    """The folder that Hydra made for this run."""
    return Path(HydraConfig.get().runtime.output_dir)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a dictionary, one key a line; NaN and infinity are refused, for they are no JSON."""
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
