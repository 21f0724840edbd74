"""All solutions of a pose: against closed forms, against traced curves, against known dimensions."""

import math
import sys

import numpy as np
import pytest
import torch

import diffkin as dk
from diffkin.errors import MissingDependencyError, OptionError
from diffkin.ik.solutions.branches import (
    SIGNS,
    all_solutions,
    cluster,
    local_dimension,
    purity,
    sign_labels,
    synergies,
)
from diffkin.ik.solutions.self_motion import trace_arcs


def test_a_full_pose_of_two_joints_has_one_solution():
    robot = dk.load_robot("planar_2r")
    q = torch.tensor([0.3, 0.9], dtype=torch.float64)
    found = all_solutions(robot, robot.forward_kinematics(q), starts=200)
    assert cluster(robot, found).max() == 0  # the mirrored elbow would turn the tip
    assert torch.allclose(found, q.expand_as(found), atol=1e-5)


@pytest.mark.parametrize("seed", [0, 4])
def test_planar_3r_has_elbow_up_and_elbow_down(seed):
    robot = dk.load_robot("planar_3r")
    free = robot.replace(lower=torch.full((3,), -math.pi), upper=torch.full((3,), math.pi))
    q = 0.5 * robot.sample(1, seed=seed)[0]
    T = robot.forward_kinematics(q)
    found = all_solutions(free, T, starts=300)
    labels = sign_labels(found, SIGNS["planar_3r"])
    groups = cluster(free, found)
    assert len(labels.unique()) == 2
    assert int(groups.max()) + 1 == 2
    assert purity(groups, labels) == 1.0
    # the closed form: the other solution has the elbow mirrored about the line from shoulder to wrist
    mirrored = found[(found[:, 1] * q[1]) < 0][0]
    assert float(mirrored[1]) == pytest.approx(-float(q[1]), abs=1e-5)
    assert math.cos(float(mirrored.sum() - q.sum())) == pytest.approx(1.0, abs=1e-9)
    assert math.cos(float(q[0] - mirrored[0])) < 1.0


def test_six_joints_have_isolated_solutions():
    robot = dk.load_robot("xarm6")
    T = robot.forward_kinematics(robot.sample(1, seed=5)[0])
    found = all_solutions(robot, T, starts=1500)
    groups = cluster(robot, found)
    arcs, labels = trace_arcs(robot, T, found, groups)
    assert int(groups.max()) + 1 == len(arcs) > 1
    assert all(len(arc.q) == 1 for arc in arcs)
    assert purity(groups, labels) == 1.0


@pytest.mark.parametrize("seed", [100, 105])
def test_clusters_of_seven_joints_are_the_traced_arcs(iiwa, seed):
    T = iiwa.forward_kinematics(iiwa.sample(1, seed=seed)[0])
    found = all_solutions(iiwa, T, starts=6000, spacing=0.02)
    poses = iiwa.forward_kinematics(found)
    assert float((poses - T).abs().max()) < 2e-6
    assert bool(((found >= iiwa.lower) & (found <= iiwa.upper)).all())
    groups = cluster(iiwa, found)
    arcs, labels = trace_arcs(iiwa, T, found, groups)
    signs = sign_labels(found, SIGNS["kuka_iiwa"])
    assert len(signs.unique()) == 8
    assert purity(groups, signs) == purity(groups, labels) == 1.0
    assert int(groups.max()) + 1 == len(arcs)
    dimension = local_dimension(iiwa, found)
    assert float((dimension == 1).double().mean()) > 0.93  # the nullity of a 6 x 7 Jacobian


def test_local_dimension_of_known_shapes(iiwa):
    generator = torch.Generator().manual_seed(0)
    for dimension in (1, 2, 3):
        flat = torch.rand(2000, dimension, generator=generator, dtype=torch.float64)
        turned, _ = torch.linalg.qr(torch.randn(7, 7, generator=generator, dtype=torch.float64))
        found = local_dimension(iiwa, flat @ turned[:dimension], neighbours=25)
        assert float((found == dimension).double().mean()) > 0.9
    with pytest.raises(OptionError, match="more than 10"):
        local_dimension(iiwa, iiwa.sample(10))


def test_purity_and_labels():
    clusters, labels = torch.tensor([0, 0, 0, 1, 1, 2]), torch.tensor([5, 5, 1, 0, 0, 1])
    assert purity(clusters, labels) == pytest.approx(5 / 6)
    q = torch.tensor([[1.0, -1.0, 2.0], [-1.0, -1.0, -2.0]])
    assert sign_labels(q, (0, 2)).tolist() == [3, 0]
    assert sign_labels(q.expand(4, 2, 3), (0, 2)).tolist() == [[3, 0]] * 4


def test_synergies_are_the_principal_components():
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(400, 3, generator=generator, dtype=torch.float64) @ torch.tensor(
        [[3.0, 1.0, 0.0], [0.0, 1.0, 0.5], [0.0, 0.0, 0.1]], dtype=torch.float64
    )
    shares, components = synergies(q)
    values, vectors = np.linalg.eigh(np.cov(q.numpy().T))
    assert np.allclose(shares, values[::-1] / values.sum())
    assert np.allclose(np.abs(components.numpy() @ vectors[:, ::-1]), np.eye(3), atol=1e-10)
    with pytest.raises(OptionError, match="more postures"):
        synergies(q[:3])


def test_nothing_found_and_mistakes(iiwa):
    far = torch.eye(4, dtype=torch.float64)
    far[0, 3] = 10.0
    found = all_solutions(iiwa, far, starts=20)
    assert found.shape == (0, 7)
    assert cluster(iiwa, found).shape == (0,)
    with pytest.raises(OptionError, match="above zero"):
        all_solutions(iiwa, far, starts=0)


@pytest.mark.parametrize("package", ["sklearn", "scipy"])
def test_without_scikit_learn_the_error_says_what_to_install(package, iiwa, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    q = iiwa.sample(20)
    with pytest.raises(MissingDependencyError, match=r"cluster needs scikit-learn.*diffkin\[train\]"):
        cluster(iiwa, q)
    if package == "sklearn":
        with pytest.raises(MissingDependencyError, match="local_dimension needs scikit-learn"):
            local_dimension(iiwa, q)
        with pytest.raises(MissingDependencyError, match="synergies needs scikit-learn"):
            synergies(q)
