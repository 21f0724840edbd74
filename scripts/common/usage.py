"""What ``--help`` says: the script's own text, and the groups that it has choices for, no others."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra

__all__ = ["usage"]


def usage(choices: Any, searchpath: Any) -> str:
    """The template of Hydra's help.

    Args:
        choices: Groups of the script, each with its choice.
        searchpath: Folders in which Hydra looks for choices, beside the folder of the configurations.

    Returns:
        Text in which Hydra fills in ``$CONFIG``.
    """
    loader = GlobalHydra.instance().config_loader()
    folders = [Path(str(folder).removeprefix("file://")) for folder in searchpath]
    groups = [str(group) for group in choices if not str(group).startswith("hydra/")]
    options = {
        group: {
            *loader.get_group_options(group),
            *(file.stem for each in folders for file in (each / group).glob("*.yaml")),
        }
        for group in groups
    }
    lines = [f"  {group}: {', '.join(sorted(options[group]))}" for group in groups]
    about = (sys.modules["__main__"].__doc__ or "").strip().replace("$", "$$")
    return (
        f"{about}\n\nGroups, chosen with group=choice:\n"
        + "\n".join(lines)
        + "\n\nSettings, given with key=value; as they are with the choices made:\n\n$CONFIG\n"
        "--multirun runs all combinations of values with commas between them; --hydra-help lists Hydra's own options.\n"
    )
