"""Shards of pairs: the same wherever they are made, and what training reads from them."""

import pytest
import torch

import diffkin as dk
from diffkin.errors import ModelFileError, OptionError
from diffkin.learning.inverse.data.stored_pairs import DatasetSettings, StoredPairs, make_shard, shard_path, write_shard

SETTINGS = DatasetSettings(count=1000, shards=3, seed=5)


@pytest.fixture(scope="module")
def robot():
    return dk.load_robot("kuka_iiwa")


def fill(robot, folder, settings=SETTINGS, order=(0, 1, 2)):
    return [write_shard(robot, settings, shard, folder) for shard in order]


def test_shards_are_identical_in_any_order_and_cover_the_count(robot, tmp_path):
    assert fill(robot, tmp_path / "a") == [True, True, True]
    fill(robot, tmp_path / "b", order=(2, 0, 1))
    for shard in range(3):
        first, second = (shard_path(tmp_path / name, shard, 3).read_bytes() for name in "ab")
        assert first == second
    assert sum(len(make_shard(robot, SETTINGS, shard)["q"]) for shard in range(3)) == 1000


def test_shards_differ_from_each_other_and_with_the_seed(robot):
    first = make_shard(robot, SETTINGS, 0)["q"]
    assert not torch.equal(first[:300], make_shard(robot, SETTINGS, 1)["q"][:300])
    other = DatasetSettings(count=1000, shards=3, seed=6)
    assert not torch.equal(first, make_shard(robot, other, 0)["q"])


def test_only_what_is_missing_is_written(robot, tmp_path):
    fill(robot, tmp_path)
    before = shard_path(tmp_path, 0, 3).stat().st_mtime_ns
    shard_path(tmp_path, 1, 3).unlink()
    assert fill(robot, tmp_path) == [False, True, False]
    assert shard_path(tmp_path, 0, 3).stat().st_mtime_ns == before


def test_training_reads_true_pairs_and_the_generator_decides(robot, tmp_path):
    fill(robot, tmp_path)
    pairs = StoredPairs(tmp_path, robot)
    assert len(pairs) == 1000
    q, T = pairs.draw(64, torch.Generator().manual_seed(1))
    torch.testing.assert_close(robot.forward_kinematics(q.double()).float(), T, atol=1e-6, rtol=0.0)
    again, _ = pairs.draw(64, torch.Generator().manual_seed(1))
    other, _ = pairs.draw(64, torch.Generator().manual_seed(2))
    assert torch.equal(q, again) and not torch.equal(q, other)
    drawn = torch.cat([pairs.draw(256, torch.Generator().manual_seed(k))[0] for k in range(60)])
    assert len(drawn.unique(dim=0)) > 990  # every shard and row has its turn


def test_single_precision_whatever_torchs_default(robot, tmp_path):
    want = make_shard(robot, SETTINGS, 1)
    torch.set_default_dtype(torch.float64)
    try:
        found = make_shard(robot, SETTINGS, 1)
        fill(robot, tmp_path)
        drawn = StoredPairs(tmp_path, robot).draw(5, torch.Generator().manual_seed(0))
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(torch.equal(want[name], found[name]) and found[name].dtype == torch.float32 for name in ("q", "T"))
    assert all(part.dtype == torch.float32 for part in drawn)


def test_ik_pairs_are_solutions(robot):
    shard = make_shard(robot, DatasetSettings(kind="ik", count=200, shards=1), 0)
    assert shard["solved"].all()
    T = robot.forward_kinematics(shard["q"].double())[:, :3].float()
    torch.testing.assert_close(T, shard["T"], atol=3e-6, rtol=0.0)
    assert bool(((shard["q"] >= robot.lower.float()) & (shard["q"] <= robot.upper.float())).all())


def test_other_data_in_the_folder_and_other_robots_are_refused(robot, tmp_path):
    fill(robot, tmp_path)
    with pytest.raises(OptionError, match="another data set"):
        write_shard(robot, DatasetSettings(count=1001, shards=3, seed=5), 0, tmp_path)
    with pytest.raises(OptionError, match="another robot"):
        StoredPairs(tmp_path, dk.load_robot("franka_panda"))
    with pytest.raises(OptionError, match="another robot"):
        StoredPairs(tmp_path, robot.replace(lower=robot.lower * 0.5))
    shard_path(tmp_path, 2, 3).unlink()
    with pytest.raises(ModelFileError, match=r"lacks shards \[2\] of 3"):
        StoredPairs(tmp_path, robot)
    shard_path(tmp_path, 0, 3).write_bytes(b"rubbish")
    with pytest.raises(ModelFileError, match="cannot be read as a shard"):
        StoredPairs(tmp_path, robot)
    with pytest.raises(ModelFileError, match="There are no"):
        StoredPairs(tmp_path / "none", robot)


@pytest.mark.parametrize("wrong", [{"kind": "dk"}, {"shards": 0}, {"count": 2, "shards": 3}])
def test_settings_out_of_range(wrong):
    with pytest.raises(OptionError, match="shards|kind"):
        DatasetSettings(**wrong)
