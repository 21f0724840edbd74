"""Shards: every one is checked before it is used; those of format 1 are still read."""

import shutil

import pytest
import torch

from diffkin.errors import ModelFileError, OptionError
from diffkin.learning.inverse.data.fingerprint import fingerprint_of_format_1
from diffkin.learning.inverse.data.shards import MOST_SHARDS, check_header, read_shard, shard_path, size_of_shard
from diffkin.learning.inverse.data.stored_pairs import DatasetSettings, StoredPairs, write_shard
from tests.learning.broken import contents, rewrite
from tests.learning.inverse.data.test_fingerprint import follower

SETTINGS = DatasetSettings(count=300, shards=2)


@pytest.fixture
def folder(tmp_path):
    for shard in range(2):
        write_shard(follower(), SETTINGS, shard, tmp_path)
    return tmp_path


def as_format_1(folder, robot):
    """The same data as earlier versions wrote it."""
    for shard in range(2):
        path = shard_path(folder, shard, 2)
        tensors, header = contents(path)
        rewrite(path, tensors, {**header, "robot": fingerprint_of_format_1(robot)})


@pytest.mark.parametrize("change", [{"multiplier": 0.6}, {"offset": 0.2}, {"multiplier": -0.5}])
@pytest.mark.parametrize("old", [False, True])
def test_data_of_a_robot_whose_mimic_differs_is_refused(change, old, folder):
    if old:
        as_format_1(folder, follower())
    assert len(StoredPairs(folder, follower())) == 300
    with pytest.raises(OptionError, match="made for another robot than 'follower'"):
        StoredPairs(folder, follower(**change))


def test_files_of_format_1_are_not_added_to(folder):
    as_format_1(folder, follower())
    shard_path(folder, 1, 2).unlink()
    with pytest.raises(OptionError, match="another data set"):
        write_shard(follower(), SETTINGS, 1, folder)


@pytest.mark.parametrize("shard", [0, 1])
def test_every_shard_is_checked_not_only_the_first(shard, folder, tmp_path_factory):
    path = shard_path(folder, shard, 2)
    whole = tmp_path_factory.mktemp("whole") / "shard"
    shutil.copy(path, whole)
    tensors, header = contents(path)
    cases = [
        ({"robot": "other 0"}, {}, OptionError, "another robot"),
        ({"joints": ["slide", "turn"]}, {}, OptionError, "another robot"),
        ({}, {"q": tensors["q"][:-1]}, ModelFileError, r"should hold q \(150, 2\)"),
        ({}, {"T": tensors["T"].double()}, ModelFileError, "float64"),
        ({}, {"q": tensors["q"].clone().fill_(torch.nan)}, ModelFileError, "q holds NaN"),
        (
            {},
            {"T": torch.where(torch.arange(150).view(-1, 1, 1) == 77, torch.inf, tensors["T"])},
            ModelFileError,
            "T holds NaN",
        ),
        ({}, {"T": tensors["T"].flip(0)}, OptionError, "its poses are up to"),
        ({"kind": "ik"}, {}, (ModelFileError, OptionError), "solved|another data set"),
        ({"seed": 8}, {}, OptionError, "another data set"),
        ({"count": 310}, {}, (ModelFileError, OptionError), "should hold|another data set"),
        ({"format": 3}, {}, ModelFileError, "another format"),
    ]
    for heads, parts, kind, message in cases:
        rewrite(
            path,
            tensors | parts,
            {
                "robot": fingerprint_of_format_1(follower()),
                **{k: v for k, v in header.items() if k != "robot"},
                **heads,
            },
        )
        if not (heads or parts):
            continue
        with pytest.raises(kind, match=message) as caught:
            read_shard(path, follower(), shard, None if "seed" not in heads else {})
        assert path.name in str(caught.value)
    shutil.copy(whole, path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(
        ModelFileError, match=f"{path.name} cannot be read as a shard.*Delete it and run make_dataset.py again"
    ):
        StoredPairs(folder, follower())
    path.unlink()
    assert write_shard(follower(), SETTINGS, shard, folder)
    assert len(StoredPairs(folder, follower())) == 300


def test_a_shard_of_another_data_set_among_the_others_is_refused(folder, tmp_path):
    for shard in range(2):
        write_shard(follower(), DatasetSettings(count=300, shards=2, seed=9), shard, tmp_path / "other")
    shutil.copy(shard_path(tmp_path / "other", 1, 2), shard_path(folder, 1, 2))
    with pytest.raises(OptionError, match="another data set than the others"):
        StoredPairs(folder, follower())
    shutil.copy(shard_path(folder, 0, 2), shard_path(folder, 1, 2))  # the same shard twice has the same header
    assert check_header(shard_path(folder, 1, 2)) == check_header(shard_path(folder, 0, 2))


def test_sizes_cover_the_count(tmp_path):
    for count, shards in ((10, 3), (99_999, 7), (5, 5)):
        assert sum(size_of_shard(count, shards, shard) for shard in range(shards)) == count
    with pytest.raises(OptionError, match=f"shards must be a whole number from 1 to {MOST_SHARDS}, got 10000000"):
        DatasetSettings(count=10**7, shards=10**7)
    with pytest.raises(OptionError, match="A shard of .* pairs takes .*Set more shards"):
        write_shard(follower(), DatasetSettings(count=10**13, shards=1), 0, tmp_path)
