"""Controllers of a training run: which are chosen, and what of their settings is used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from common.given import given, unused
from common.settings import choose
from diffkin._given import real, whole
from diffkin.errors import OptionError, UnknownNameError
from diffkin.learning.policy import Policy, make_policy

__all__ = ["SET_BY_HAND", "check_unused", "chosen", "new_policy"]

SET_BY_HAND = ("log_pd", "sqrt_cascade")


def chosen(settings: dict[str, Any], kinds: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Settings of the controllers of a run by name: one, or all of ``controller=all``."""
    if "kind" in settings:
        return {choose(settings["kind"], kinds, "controller.kind"): settings}
    for name, each in settings.items():
        kind: Any = each.get("kind") if isinstance(each, dict) else each
        choose(kind, kinds, f"controller.{name}.kind")
    return settings


def check_unused(cfg: DictConfig, controllers: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise for settings of controllers and their training that were given and would change nothing.

    Args:
        cfg: The configuration, interpolations as they are written.
        controllers: Settings of the controllers by name, resolved.

    Raises:
        diffkin.errors.OptionError: There is one.
    """
    alone = "kind" in cfg.controller
    keys = {name: "controller" if alone else f"controller.{name}" for name in controllers}
    written = {name: OmegaConf.to_container(cfg.controller if alone else cfg.controller[name]) for name in controllers}
    learned = {name: each for name, each in controllers.items() if each["kind"] not in SET_BY_HAND}
    if not learned:
        for key in ("trainer", "controller_steps", "seed"):
            unused(key, f"{', '.join(controllers)} is set by hand and learns nothing")
        return
    if not any("trainer.learning_rate" in str(written[name]) for name in learned):
        own = " and ".join(f"{keys[name]}.learning_rate" for name in learned)
        unused("trainer.learning_rate", f"controllers have rates of their own; give {own}")
    for name, each in learned.items():
        real(each.get("learning_rate"), f"{keys[name]}.learning_rate", above=0.0)
    most, steps = cfg.trainer.steps, {n: whole(each.get("steps"), f"{keys[n]}.steps", 1) for n, each in learned.items()}
    if most > max(steps.values()):
        own = " and ".join(f"{keys[name]}.steps" for name in learned)
        unused("trainer.steps", f"no controller takes more than {max(steps.values())} steps; give {own} too")
    fills, own_steps = str(list(written.values())), {f"{keys[name]}.steps" for name in learned}
    for key, value in given().items():
        if key.startswith("controller_steps.") and key not in fills:
            unused(key, f"it fills the steps of no controller of this run; these are {', '.join(learned)}")
        if (key.startswith("controller_steps.") or key in own_steps) and value > most:
            raise OptionError(f"{key}={value} is more than trainer.steps={most}, the most of any. Give both.")
    before: list[str] = []
    for name, each in controllers.items():
        source = each.get("start_from")
        if source and source not in before:
            unused(f"{keys[name]}.start_from", f"no controller of that name comes before {name} in this run")
        elif source:
            unused(
                f"{keys[name]}.cascade", f"it begins with what {source} has learned; give {keys[name]}.start_from=null"
            )
        before.append(name)


def new_policy(
    controller: Mapping[str, Any], name: str, kinds: Mapping[str, str], settings: Mapping[str, Any], seed: int
) -> Policy:
    """A controller as it begins; settings that its kind does not take are told by that kind's key.

    Args:
        controller: Part of the configuration of that name.
        name: Of this one.
        kinds: Kinds of policies by what the configuration calls them.
        settings: Its own.
        seed: Of the weights to begin with.
    """
    own = {key: value for key, value in settings.items() if key not in ("kind", "steps", "learning_rate", "start_from")}
    try:
        return make_policy(kinds[settings["kind"]], own, seed=seed)
    except UnknownNameError as error:
        where = "controller" if "kind" in controller else f"controller.{name}"
        raise UnknownNameError(f"{where}.kind={settings['kind']} does not fit its other settings. {error}") from error
