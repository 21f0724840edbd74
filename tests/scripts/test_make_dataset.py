"""make_dataset as a user runs it, and training from what it wrote."""

from pathlib import Path

import torch

import diffkin as dk
from diffkin.learning.inverse.data.stored_pairs import StoredPairs, shard_path
from tests.scripts.training_runs import run

ROOT = Path(__file__).parents[2]


def test_spread_over_a_sweep_equals_one_process_and_trains(tmp_path):
    common = ["robot=planar_3r", "count=3000", "shards=3", "seed=4"]
    run("make_dataset", *common, "folder=alone", cwd=tmp_path)
    run("make_dataset", "--multirun", *common, "folder=spread", "shard=2,0,1", "hydra/launcher=joblib", cwd=tmp_path)
    for shard in range(3):
        first, second = (shard_path(tmp_path / name, shard, 3).read_bytes() for name in ("alone", "spread"))
        assert first == second
    file = ROOT / "diffkin" / "assets" / "robots" / "planar_3r.urdf"
    by_path = [f"robot.path={file}", "robot.tip=tool", *common[1:], "folder=alone"]
    assert run("make_dataset", *by_path, cwd=tmp_path).count("was there") == 3  # the same robot from its file
    pairs = StoredPairs(tmp_path / "spread", dk.load_robot("planar_3r"))
    q, T = pairs.draw(100, torch.Generator().manual_seed(0))
    made = dk.load_robot("planar_3r").forward_kinematics(q.double()).float()
    torch.testing.assert_close(made, T, atol=1e-6, rtol=0.0)
    small = ["experiment=demo", "robot=planar_3r", "network=through_fk", "network.width=8", "trainer.steps=10"]
    small += ["evaluation.targets=20", "evaluation.stored=100", "evaluation.spread=2", "evaluation.bullet_targets=0"]
    run("train_ik", *small, "data=spread", "hydra.run.dir=trained", cwd=tmp_path)
    assert (tmp_path / "trained" / "network.safetensors").exists()
