"""Simulated arms are off by what was asked, PyBullet measures them, and noise has the size that it is said to have."""

from pathlib import Path

import pytest
import torch

import diffkin as dk
from diffkin.calibration.fit import fit_calibration
from diffkin.calibration.model import calibration_model
from diffkin.calibration.write_urdf import write_calibrated_urdf
from diffkin.simulation import library, simulated_arms
from diffkin.simulation.simulated_arms import (
    ArmErrors,
    MeasurementNoise,
    SimulatedArms,
    compare_calibrated_file,
    make_arm,
    random_errors,
    spoil,
)

ERRORS = ArmErrors(offset=0.01, translation=1e-3, rotation=5e-3)
needs_pybullet = pytest.mark.skipif(not library.is_installed(), reason="needs pybullet")


@pytest.fixture(scope="module")
def model():
    return calibration_model(dk.load_robot("scara"), torch.eye(4, dtype=torch.float64))


def test_errors_have_the_size_that_was_asked(model):
    generator = torch.Generator().manual_seed(0)
    x = torch.stack([random_errors(model, ERRORS, generator) for _ in range(300)])
    kinds = [name[0] for name in model.names]
    for kind, size in (("o", 0.01), ("t", 1e-3), ("r", 5e-3)):
        chosen = x[:, [k for k, name in enumerate(kinds) if name == kind]]
        assert chosen.numel() > 300
        assert float(chosen.std()) == pytest.approx(size, rel=0.1)


@needs_pybullet
def test_bullet_measures_what_the_parameters_say(model, tmp_path: Path):
    arm = make_arm(model, ERRORS, tmp_path / "arms" / "a.urdf", seed=3)
    q = model.robot.sample(10, seed=0)
    x = random_errors(model, ERRORS, torch.Generator().manual_seed(3))
    torch.testing.assert_close(arm.measure(q), model.poses(x, q), rtol=0, atol=1e-9)
    assert float((arm.measure(q) - model.poses(model.zero(), q)).abs().max()) > 1e-3


def test_without_pybullet_our_own_kinematics_measure(model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(simulated_arms, "is_installed", lambda: False)
    arm = make_arm(model, ERRORS, tmp_path / "a.urdf", seed=3)
    q = model.robot.sample(10, seed=0)
    x = random_errors(model, ERRORS, torch.Generator().manual_seed(3))
    torch.testing.assert_close(arm.measure(q), model.poses(x, q), rtol=0, atol=1e-9)


def test_noise_outliers_and_gaps(model):
    q = model.robot.sample(4000, seed=0)
    poses = model.poses(model.zero(), q)
    clean = spoil(poses, q, MeasurementNoise("pose", 1e-4, 1e-3), torch.Generator().manual_seed(0))
    assert float((clean.position - poses[:, :3, 3]).std()) == pytest.approx(1e-4, rel=0.03)
    turned = dk.rotations.matrix_to_rotvec(clean.rotation @ poses[:, :3, :3].mT)
    assert float(turned.std()) == pytest.approx(1e-3, rel=0.03)
    noise = MeasurementNoise("pose", 1e-4, 1e-3, outliers=0.1, missing=0.2)
    spoilt = spoil(poses, q, noise, torch.Generator().manual_seed(0))
    gone = spoilt.position.isnan().any(-1)
    assert float(gone.double().mean()) == pytest.approx(0.2, abs=0.03)
    far = (spoilt.position - poses[:, :3, 3])[~gone].norm(dim=-1) > 2e-3
    assert float(far.double().mean()) == pytest.approx(0.1, abs=0.03)
    alone = spoil(poses, q, MeasurementNoise("rotation", 1e-4, 1e-3), torch.Generator().manual_seed(0))
    assert bool(alone.position.isnan().all()) and torch.equal(alone.rotation, clean.rotation)


@needs_pybullet
def test_arms_are_measured_and_calibrated(model, tmp_path: Path):
    held_out = model.robot.sample(15, seed=1)
    arms = SimulatedArms(model, ERRORS, MeasurementNoise("pose", 1e-5, 1e-4), held_out, tmp_path, seed=2)
    data, truth = arms.measure(0, model.robot.sample(40, seed=0), torch.Generator().manual_seed(0))
    _, same = arms.measure(0, model.robot.sample(3, seed=5), torch.Generator().manual_seed(1))
    _, other = arms.measure(1, model.robot.sample(3, seed=5), torch.Generator().manual_seed(1))
    assert torch.equal(truth, same) and not torch.equal(truth, other)  # an arm stays the same, another is another
    fit = fit_calibration(model, data)
    torch.testing.assert_close(model.poses(fit.x, held_out), truth, rtol=0, atol=2e-4)
    path = tmp_path / "calibrated.urdf"
    write_calibrated_urdf(model, fit.x, path)
    assert all(difference < 1e-9 for difference in compare_calibrated_file(path, model, fit.x).values())
    wrong = compare_calibrated_file(path, model, model.zero())
    assert min(wrong.values()) > 1e-4
