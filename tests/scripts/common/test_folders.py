"""Folders of runs: never one that is taken, but one for all processes of a training."""

from pathlib import Path

import pytest
from common.folders import Run, open_run, register, short
from omegaconf import OmegaConf

from diffkin.errors import OptionError
from tests.scripts.starting import put_back, start  # noqa: F401


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    register()
    monkeypatch.chdir(tmp_path)
    for name in ("LOCAL_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def folder(resume: str | None = None) -> str:
    text = "${either:${resume},${unused:outputs/script/now}}"
    return OmegaConf.create({"resume": resume, "dir": text}).dir


def test_a_folder_that_is_taken_gets_a_number(here: Path) -> None:
    assert folder() == "outputs/script/now"
    (here / "outputs" / "script" / "now").mkdir(parents=True)
    assert folder() == "outputs/script/now-2"
    (here / "outputs" / "script" / "now-2").mkdir()
    assert folder() == "outputs/script/now-3"


def test_asked_again_a_run_keeps_its_folder(here: Path) -> None:
    config = OmegaConf.create({"dir": "${unused:run}"})
    first = config.dir
    Path(first).mkdir()
    assert config.dir == first == "run"


@pytest.mark.parametrize("name", ["LOCAL_RANK", "SLURM_PROCID"])
def test_processes_of_one_training_share_it(here: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (here / "outputs" / "script" / "now").mkdir(parents=True)
    monkeypatch.setenv(name, "1")
    assert folder() == "outputs/script/now"


def test_resuming_takes_the_folder_given() -> None:
    assert folder("earlier") == "earlier"


def test_names_of_folders_are_no_longer_than_file_systems_take(here: Path) -> None:
    long = ",".join(f"setting.number_{k}=0.{k}" for k in range(40))
    names = {short(long), short(long + "1"), short(long.replace("0.3", "0.4"))}
    assert len(names) == 3 and all(len(name.encode()) <= 220 for name in names)
    for name in names:
        (here / name).mkdir()
    assert short("a=1,b=x/y") == "a=1,b=x_y"
    config = OmegaConf.create({"hydra": {"job": {"override_dirname": long}}, "dir": "${short_overrides:}"})
    assert config.dir == short(long)


def saved_run(here: Path, *overrides: str, fixed: tuple[str, ...] = ("network",)) -> Run:
    """A run of train_ik in the folder ``run``, gone on with."""
    folder = here / "run"
    folder.mkdir()
    first = start("train_ik", "experiment=demo", "trainer.batch=9", "trainer.devices=1")
    folder.joinpath("config.yaml").write_text(OmegaConf.to_yaml(first, resolve=True))
    return open_run(start("train_ik", "resume=run", *overrides), fixed)


def test_numbers_of_a_run_that_goes_on_may_change(here: Path) -> None:
    run = saved_run(here, "trainer.steps=77")
    assert run.resumed and (run.cfg.trainer.steps, run.cfg.trainer.batch) == (77, 9)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("trainer=gpu", "trainer=gpu cannot be given together with resume=: it would set all of trainer anew"),
        ("experiment=long", "experiment cannot be given together with resume="),
        ("network=flow", "network.name is 'chain_flow' in run and cannot become 'flow'"),
    ],
)
def test_a_run_that_goes_on_takes_no_group_anew(here: Path, given: str, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        saved_run(here, given)


def test_a_group_that_is_as_it_was_may_be_repeated(here: Path) -> None:
    assert saved_run(here, "network=chain_flow").resumed
