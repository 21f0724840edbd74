"""A walk over every setting of every script: one that is given is used, or refused by its name.

    python -m tests.scripts.fuzz_settings
    python -m tests.scripts.fuzz_settings --script solve_ik --mode unreachable --key patience

For each mode of each script (``settings_modes.py``) a small run is made, and for every key of its configuration, every
choice of its groups and every field of the library's classes behind it one run more with another valid value. What comes
out must differ, a figure that merely repeats the setting apart, or the run must end in an error that names the key. Keys
that rightly change no figure are listed below with what they do change, which is looked at just as well. Each mode is
also run with all values as they are, with unknown keys, and with values of wrong types. Exits with 1 if a setting is
silently ignored, or refused without its name.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from tests.scripts.settings_modes import MODES, VALUES, Mode, accepted, make_inputs
from tests.scripts.settings_runs import CONFIGS, Done, composed, overridden, run_job

__all__ = ["Walk", "main", "walk"]

NO_FIGURES: dict[str, tuple[str, str]] = {
    # key: what it changes instead, and why that is all
    "pictured": ("pictures", "how many answers are drawn"),
    "plotted": ("pictures", "how many problems are drawn"),
    "check.pictures": ("pictures", "how many answers are drawn"),
    "score.pictures": ("pictures", "how many moments are drawn"),
    "check.gui": ("calls", "whether a window is opened; the answers are there before"),
    "gui": ("calls", "whether a window is opened; the path is there before"),
    "follower.allow_reconfigurations": ("calls", "which way is taken where all jump"),
    "follower.tolerance": ("figures", "which ticks count as reached"),
    "threads": ("calls", "how many threads compute the same"),
    "trainer.threads": ("calls", "how many threads compute the same"),
    "trainer.progress": ("calls", "whether a bar is shown"),
    "trainer.checkpoint_every": ("calls", "how often the checkpoint is written; the last one is the same"),
    "trainer.tensorboard": ("names", "a log beside metrics.csv"),
    "trainer.devices": ("calls", "processes that are started; here what Fabric is asked for"),
    "trainer.nodes": ("calls", "the same"),
    "viewer.width": ("calls", "the size of a window"),
    "viewer.height": ("calls", "the size of a window"),
    "viewer.film_width": ("pictures", "the size of a film"),
    "viewer.film_height": ("pictures", "the size of a film"),
    "viewer.oversampling": ("pictures", "how smooth a film is"),
    "viewer.fps": ("figures", "frames of a film"),
    "record": ("names", "another film"),
    "point_aircraft:seed": ("printed", "figures are the worst of all targets, and exact ones; the answers are printed"),
    "viewer.name": ("printed", "without a display a film is made in place of a window, and that is said"),
    "demo_aircraft:aircraft": ("pictures", "a film shows the body; figures are those of the attitude"),
    "demo_aircraft:aircraft.robot": ("pictures", "the same"),
    "demo_aircraft:aircraft.path": ("pictures", "the same"),
    "bullet": ("pictures", "a second opinion beside what the film shows"),
    "demo_arm:robot.name": ("pictures", "where joints are moved one by one, figures are those of the joints"),
    "objective": ("returned", "the figure that a sweeper is told"),
}
"""Keys that change no figure: what else they change, and the reason."""

ONE_CHOICE = ("trainer.precision", "robot.base")
"""Keys that some modes take one value of: another one is refused as out of range."""

FILL_KEYS = ("experiment",)
"""Groups that do nothing but fill keys that are walked over by themselves, and that the modes give."""

SHOWN_IN: dict[str, tuple[str, str]] = {
    "trainer.patience": ("hasty", "it needs a validation that is no better than the one before"),
    "point_aircraft:aircraft.max_bank_deg": ("free", "a limit that wings kept level do not meet"),
    "point_aircraft:aircraft.max_pitch_deg": ("free", "a limit that the others need not meet"),
    "point_aircraft:aircraft.robot": ("ground", "directions of the nose are the same for every body"),
    "point_aircraft:tolerance_rad": ("ground", "a fixed ray is turned there exactly"),
    "point_aircraft:locked": ("ground", "joints that do not move the ray stay neutral anyway"),
    "demo_arm:bullet": ("large", "small films have no room for readings"),
    "solve_ik:check": ("checked", "check=none is no more than check.enabled=false"),
    "solve_ik:solver.position_tolerance": ("checked", "what cannot be reached misses any tolerance"),
    "solve_ik:solver.rotation_tolerance": ("loose", "where the position decides, the rotation is met long before"),
    "solve_ik:solver.max_iterations": ("hard", "to a loose tolerance one iteration may suffice"),
    "solve_ik:solver.max_restarts": ("hard", "a first start that solves needs no other"),
    "solve_ik:solver.grow": ("unreachable", "it needs a step that is taken back"),
    "solve_ik:solver.shrink": ("unreachable", "it needs a step that was taken back"),
}
"""Limits that need not bind: the mode, or the end of its name behind a comma, in which another value must show, and the
reason; elsewhere they may not."""


@dataclass(frozen=True)
class Fault:
    """A setting that was ignored, crashed or was refused without its name."""

    mode: Mode
    setting: str
    what: str

    def __str__(self) -> str:
        return f"{self.mode.script} [{self.mode.name}] {self.setting}: {self.what}"


class Walk:
    """All runs of one mode; ``runs`` counts them.

    Args:
        mode: Of a script.
        inputs: Folder of ``make_inputs``.
        before: Folder of the run that goes before, if there is one.
    """

    def __init__(self, mode: Mode, inputs: Path, before: Path | None) -> None:
        self.mode, self.inputs, self.before, self.runs = mode, inputs, before, 0
        self.line = [word.replace("{inputs}", str(inputs)) for word in mode.line]
        self.cfg = composed(mode.script, self.line, "run" if before is None else "before")
        self.base = self.run()
        self.refused: set[str] = set()
        self._drawn: Done | None = None

    def run(self, *words: str, drawn: bool = False) -> Done:
        """The run with these settings in place of those of the same keys."""
        keys = {word.lstrip("+").split("=")[0] for word in words}
        line = [*(word for word in self.line if word.split("=")[0] not in keys), *words]
        grouped = any(key in self.groups() for key in keys)
        self.runs += 1
        make = None if grouped else lambda: overridden(self.cfg, line, list(words))
        return run_job(self.mode.script, line, make, self.before, drawn=drawn)

    # -- what can be given --------------------------------------------------------------------------------------

    def values(self) -> dict[str, Any]:
        """Keys of the configuration and their values; of a run that goes on, those that it was started with."""
        parts = [{str(key): self.cfg[key] for key in self.cfg if key not in ("hydra", "resume")}]
        if self.before is not None:
            kept = OmegaConf.load(self.before / "config.yaml")
            parts.append({str(key): kept[key] for key in kept if key != "resume"})
        own = dict(_leaves(parts[0], ""))
        saved = dict(_leaves(parts[-1], ""))
        settled = {key.split(".")[0] for key in saved}  # another choice of a group has other keys
        found = {key: value for key, value in own.items() if key in saved or key.split(".")[0] not in settled} | saved
        return found | {word.split("=")[0]: own[word.split("=")[0]] for word in self.line if word.split("=")[0] in own}

    def groups(self) -> dict[str, list[str]]:
        """Other choices of each group of the script."""
        choices = {str(k): v for k, v in self.cfg.hydra.runtime.choices.items() if not str(k).startswith("hydra/")}
        folders = [CONFIGS, *(Path(str(each).removeprefix("file://")) for each in self.cfg.hydra.searchpath)]
        return {
            group: sorted({file.stem for folder in folders for file in (folder / group).glob("*.yaml")} - {chosen})
            for group, chosen in choices.items()
        }

    def others(self, key: str, value: Any) -> list[str]:
        """Other valid values of a key, the most telling first."""
        named = VALUES.get(key) or VALUES.get("*." + key.rpartition(".")[2], ())
        own = [each.replace("{inputs}", str(self.inputs)) for each in named]
        return [each for each in (*own, *_generic(value)) if each != _written(value)]

    # -- what comes of it ---------------------------------------------------------------------------------------

    def faults(self, only: str = "") -> Iterator[Fault]:
        """Walk over all keys and groups whose name has ``only`` in it."""
        if self.base.refused or self.base.crashed:
            yield Fault(self.mode, "as it is", self.base.refused or self.base.crashed)
            return
        again = self.run()
        if not again.refused and (again.figures, again.names) != (self.base.figures, self.base.names):
            yield Fault(self.mode, "as it is", f"another outcome when run again: {self._differences(again)}")
        begins = self.mode.only or ("",)
        plain = {key: value for key, value in self.values().items() if only in key and key.startswith(begins)}
        extra = {key: value for key, value in accepted(OmegaConf.to_container(self.cfg)).items() if only in key}
        for key, value in {**plain, **extra}.items():
            plus = "+" if key in extra else ""
            yield from self._judged(key, value, [f"{plus}{key}={each}" for each in self.others(key, value)])
        for group, choices in self.groups().items():
            if only in group and group.startswith(begins) and group not in FILL_KEYS:
                settings = [f"{group}={choice}" for choice in choices if self._composes_anew(f"{group}={choice}")]
                yield from self._judged(group, None, settings[:3]) if settings else ()
        yield from self.as_they_are(plain)
        yield from self.unknown(only, begins)
        yield from self.wrong(plain)

    def _composes_anew(self, setting: str) -> bool:
        """Whether a choice of a group sets something that the rest of the command line does not set anyway."""
        try:
            cfg = composed(
                self.mode.script,
                [*(word for word in self.line if word.split("=")[0] != setting.split("=")[0]), setting],
            )
        except HydraException:  # which the run is to be asked about
            return True
        return {key: cfg[key] for key in cfg if key != "hydra"} != {
            key: self.cfg[key] for key in self.cfg if key != "hydra"
        }

    def _judged(self, key: str, value: Any, settings: list[str]) -> Iterator[Fault]:
        """The first of several settings that makes a difference or is refused for a reason settles the key."""
        said, drawn = "no other valid value is known", NO_FIGURES.get(key, ("",))[0] == "pictures"
        for setting in settings:
            done = self.run(setting, drawn=drawn)
            if done.crashed:
                yield Fault(self.mode, setting, done.crashed)
                return
            if done.refused:
                told = setting.partition("=")[2]
                named = key in done.refused or (len(told) > 3 and told in done.refused)
                if named and "would change nothing" not in done.refused and "must be" in done.refused:
                    said = f"all are out of range, the last one: {done.refused}"  # which says nothing of its use
                    if key in ONE_CHOICE:
                        own = self.run(f"{key}={_written(value)}").refused
                        self.refused.update([key] if "would change nothing" in own else [])
                        return
                elif named or self._of_another(key, done.refused):
                    self.refused.add(key)
                    return
                else:
                    said = f"refused without its name: {done.refused}"
                continue
            if self.differs(key, setting, value, done, self.drawn() if drawn else self.base):
                return
            said = "changes nothing"
        if self._shown_elsewhere(key):
            return
        if value and "would change nothing" in self.run(f"{key}={_written(value)}").refused:
            self.refused.add(key)  # so that the others say no more than that nothing is wanted
            return
        yield Fault(self.mode, settings[-1] if settings else key, said)

    def _shown_elsewhere(self, key: str) -> bool:
        modes = [SHOWN_IN[name][0] for name in (key, f"{self.mode.script}:{key}") if name in SHOWN_IN]
        return modes != [] and not set(modes) & set(self.mode.name.split(", "))

    def _of_another(self, key: str, said: str) -> bool:
        """Whether it is another setting of the command line that is refused, with this one given."""
        others = {word.split("=")[0] for word in self.line} - {key}
        return any(said.startswith(f"{other}=") and "would change nothing" in said for other in others)

    def drawn(self) -> Done:
        """The base run with its pictures."""
        if self._drawn is None:
            self._drawn = self.run(drawn=True)
        return self._drawn

    def differs(self, key: str, setting: str, value: Any, done: Done, base: Done) -> bool:
        """Whether a run shows that a setting was used."""
        kind, _ = NO_FIGURES.get(f"{self.mode.script}:{key}", NO_FIGURES.get(key, ("figures", "")))
        if kind != "figures":
            return getattr(base, kind) != getattr(done, kind)
        new = OmegaConf.to_container(OmegaConf.create({"x": None}) if value is None else OmegaConf.create({"x": value}))
        told = OmegaConf.from_dotlist([f"x={setting.partition('=')[2]}"])
        repeated = (_plain(new["x"]), _plain(OmegaConf.to_container(told)["x"]))
        names = base.figures.keys() | done.figures.keys()
        pairs = [(base.figures.get(name), done.figures.get(name)) for name in names]
        return any(a != b and (_plain(a), _plain(b)) != repeated for a, b in pairs)

    def _differences(self, other: Done) -> str:
        names = [name for name, value in self.base.figures.items() if other.figures.get(name) != value]
        return ", ".join(names[:5]) or "the files"

    def as_they_are(self, values: Mapping[str, Any]) -> Iterator[Fault]:
        """All keys that are not refused here, each given with the value that it has."""
        own = {key: value for key, value in values.items() if not key.startswith("presets.")}  # these fill other keys
        same = {key: f"{key}={_written(value)}" for key, value in own.items() if key not in self.refused}
        done = self.run(*same.values())
        for _ in range(len(same)):  # so do some others, which are rightly refused where all that they fill is given
            told, _, rest = done.refused.partition("=")
            needless = [key for key in same if key == told and " would change nothing" in rest]
            if not needless:
                break
            del same[needless[0]]
            done = self.run(*same.values())
        if done.refused or done.crashed:
            yield Fault(self.mode, "all as they are", done.refused or done.crashed)
        elif done.figures != self.base.figures:
            yield Fault(self.mode, "all as they are", f"another outcome: {self._differences(done)}")

    def unknown(self, only: str, begins: tuple[str, ...]) -> Iterator[Fault]:
        """A misspelt key in each part: refused, with the right one named."""
        parts: dict[str, str] = {}
        for key in self.values():
            parts.setdefault(key.rpartition(".")[0], key)
        for right in parts.values():
            for setting in (f"{right}x=1", f"+{right}x=1") if only in right and right.startswith(begins) else ():
                done = self.run(setting)
                if right.rpartition(".")[2] not in done.refused:
                    yield Fault(
                        self.mode, setting, f"unknown, and the right name is not told: {done.refused or done.crashed}"
                    )

    def wrong(self, values: Mapping[str, Any]) -> Iterator[Fault]:
        """A value of another type for every key, and for numbers NaN and a negative one: one line that names it."""
        for key, value in values.items():
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            for each in ("{a:1}", "nan", "-1") if number else ("{a:1}",):
                done = self.run(f"{key}={each}")
                name = key.split(".")[1 if key.startswith("presets.") else -1]  # presets fill a key of that name
                name = "steps" if key.startswith("controller_steps.") else name
                named = name in done.refused and "\n" not in done.refused
                fine = each == "-1" and not done.refused and not done.crashed
                if not named and not fine:
                    what = done.refused or done.crashed or "taken"
                    yield Fault(self.mode, f"{key}={each}", f"of the wrong type or out of range: {what}")


def _leaves(node: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for key in node:
        value = node[key] if not (isinstance(node, DictConfig) and OmegaConf.is_missing(node, key)) else None
        if isinstance(value, DictConfig):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            plain = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
            yield f"{prefix}{key}", plain


def _generic(value: Any) -> list[str]:
    """Other values of the same type."""
    if isinstance(value, bool):
        return [_written(not value)]
    if isinstance(value, int):
        return [str(each) for each in (value + 1, 3 * value + 5, max(value - 1, 0), 1, 0)]
    if isinstance(value, float):
        return [repr(each) for each in (1.5 * value, 0.5 * value, 0.1 * value, 10.0 * value, value + 0.1)]
    if isinstance(value, list) and value and all(isinstance(each, (int, float)) for each in value):
        return [_written([type(value[0])(2 * value[0]), *value[1:]]), _written([0.5 * each for each in value])]
    if isinstance(value, list) and value:
        inner = value[0]
        doubled = [[1.5 * inner[0], *inner[1:]], *value[1:]] if isinstance(inner, list) else value[:-1]
        return [_written(doubled)]
    return []


def _written(value: Any) -> str:
    """A value as Hydra reads it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return "[" + ",".join(_written(each) for each in value) + "]"
    return str(value)


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def walk(modes: list[Mode], only: str = "", told: bool = False) -> list[Fault]:
    """Walk over some modes; their faults."""
    found: list[Fault] = []
    with tempfile.TemporaryDirectory() as place:
        inputs = Path(place) / "inputs"
        inputs.mkdir()
        make_inputs(inputs)
        for number, mode in enumerate(modes):
            begin, before = time.monotonic(), None
            if mode.before:
                before = Path(place) / f"before_{number}"
                first = [word.replace("{inputs}", str(inputs)) for word in mode.before]
                run_job(mode.script, first, keep=before)
            walked = Walk(mode, inputs, before)
            faults = list(walked.faults(only))
            found += faults
            if told:
                took = f"{walked.runs} runs, {time.monotonic() - begin:.0f} s"
                print(f"{mode.script} [{mode.name}]: {len(faults)} faults, {took}", flush=True)
                for each in faults:
                    print(f"  {each}", flush=True)
    return found


def main() -> int:
    """Walk and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--script", default="", help="one script; all if not given")
    parser.add_argument("--mode", default="", help="one mode")
    parser.add_argument("--key", default="", help="keys with this in them")
    given = parser.parse_args()
    modes = [mode for mode in MODES if given.script in ("", mode.script) and given.mode in ("", mode.name)]
    return 1 if walk(modes, given.key, told=True) else 0


if __name__ == "__main__":
    sys.exit(main())
