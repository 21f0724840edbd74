"""What is given and would change nothing is refused; what is composed from files is not asked."""

from pathlib import Path

import pytest
from common.given import check_given, given, unused, with_setting, words
from common.messages import CONFIGS
from hydra.core.hydra_config import HydraConfig

from diffkin.errors import OptionError
from tests.scripts.starting import put_back, start  # noqa: F401


def test_without_hydra_nothing_is_given() -> None:
    HydraConfig.instance().cfg = None
    assert given() == {}
    unused("anything", "why")


def test_keys_groups_and_values() -> None:
    start("solve_ik", "robot=scara", "target.count=3", '+check.x="a,b"', "plotted=0", "robot.tip=null")
    assert given() == {"robot": "scara", "target.count": 3, "check.x": "a,b", "plotted": 0, "robot.tip": None}


def test_references_stay_as_written() -> None:
    start("solve_ik", "seed=${target.count}", "robot.path=${nowhere}")
    assert given() == {"seed": "${target.count}", "robot.path": "${nowhere}"}
    assert words("task") == ["seed=${target.count}", "robot.path=${nowhere}"] and words("hydra") == ["hydra.mode=RUN"]


def test_a_message_that_tells_a_number_tells_whose_it_is() -> None:
    start("solve_ik", "target.count=1000000", "seed=7", "check.driven=10000")
    assert with_setting("1000000 samples.") == "1000000 samples. It was given as target.count=1000000."
    for said in ("target.count: 1000000", "7 joints", "11000000 samples", "1000000.5 m", "100001"):
        assert with_setting(said) == said


def test_what_would_change_nothing() -> None:
    start("solve_ik", "target.count=3", "plotted=0", "check=none")
    for part in ("target", "target.count"):
        with pytest.raises(OptionError, match=r"target.count=3 would change nothing: the reason\."):
            unused(part, "the reason")
    for part in ("targe", "solver", "seed"):
        unused(part, "not given")
    unused("target", "used", but=("count",))
    unused("plotted", "nothing wanted", none=True)
    with pytest.raises(OptionError, match="plotted=0 would"):
        unused("plotted", "why")
    with pytest.raises(OptionError, match="check=none would"):
        unused("check", "why")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["robot.path="], "robot.path= is given without a value"),
        (["robot.tip="], "robot.tip= is given without a value"),
        (["seed=99999999999999999999"], "seed must be a whole number from"),
        (["seed=9223372036854775808"], "seed must be a whole number from"),
        (["robot=scara", "robot.path=a.urdf"], "Both robot.path=a.urdf and robot.name=scara are given"),
        (["robot.name=scara", "robot.path=a.urdf"], "Leave one of them out"),
        (["solver.name=adam"], r"solver.name=adam would keep the settings of levenberg_marquardt. Write solver=adam\."),
        (["robot=[kuka_iiwa,franka_panda]"], r"robot=\[kuka_iiwa,franka_panda\] cannot be taken: robot has one choice"),
        (["solver=[adam]"], "solver has one choice"),
        (["hydra/launcher=joblib"], "it is for sweeps"),
        (["hydra.sweep.dir=x"], "it is for sweeps"),
    ],
)
def test_what_no_script_takes(line: list[str], said: str) -> None:
    cfg = start("solve_ik", *line)
    with pytest.raises(OptionError, match=said):
        check_given(cfg)


@pytest.mark.parametrize(
    ("script", "line"),
    [
        ("solve_ik", []),
        ("solve_ik", ["solver=adam", "solver.name=adam"]),
        ("solve_ik", ["robot.path=a.urdf", "robot.tip=hand", "seed=-1"]),
        ("point_aircraft", ["aircraft=quadrotor", "aircraft.path=a.urdf"]),  # the group holds limits beside the name
        ("train_ik", ["resume=somewhere"]),
        ("solve_ik", ["seed=${target.count}"]),
        ("solve_ik", ["target.kind=direction"]),  # no choice of this script's, so left to the script
    ],
)
def test_what_is_taken(script: str, line: list[str]) -> None:
    check_given(start(script, *line))


def test_a_file_of_ones_own_says_a_name_or_a_path_and_not_both(tmp_path: Path) -> None:
    (tmp_path / "robot").mkdir()
    for name, lines in {
        "path": ["path: a.urdf"],
        "both": ["path: a.urdf", "name: scara"],
        "name": ["name: scara"],
    }.items():
        (tmp_path / "robot" / f"{name}.yaml").write_text("\n".join(lines))
    where = f"hydra.searchpath=[file://{tmp_path},file://{CONFIGS}/presets/arm]"
    for choice in ("path", "name"):
        check_given(start("solve_ik", where, f"robot={choice}"))
    with pytest.raises(OptionError, match="The file of robot=both sets both name: scara and path: a.urdf"):
        check_given(start("solve_ik", where, "robot=both"))
