"""Folders of runs: never one that is taken, but one for all processes of a training."""

from pathlib import Path

import pytest
from common.folders import register, short
from omegaconf import OmegaConf


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
