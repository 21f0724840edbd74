"""A network proposes and one descent refines."""

from pathlib import Path

import pytest

import diffkin as dk
from diffkin.demos.arm.learned import LearnedDemo, quick_network
from diffkin.demos.scene import Moment, first_values
from diffkin.errors import OptionError
from diffkin.learning import save


@pytest.fixture(scope="module")
def network():
    return quick_network(dk.load_robot("franka_panda"), steps=40)


def test_the_descent_refines_what_the_network_proposes(network, panda: dk.Robot) -> None:
    demo = LearnedDemo(panda, network)
    scene = demo.begin()
    assert scene.reading("its position error").value > 10.0 * scene.reading("position error").value
    proposed = next(body for body in scene.bodies if body.name == "network")
    away = (panda.forward_kinematics(proposed.q) - scene.frames[0].pose)[:3, 3].norm()
    assert scene.reading("its position error").value == pytest.approx(1e3 * float(away))
    values = first_values(demo.controls)
    moved = demo.step(Moment(1.0, 1.0, values))
    assert float((moved.frames[0].pose - scene.frames[0].pose).abs().max()) > 0.01
    random = demo.step(Moment(1.1, 0.1, values, frozenset({"random target"})))
    assert random.shows["targets"] == "random"
    assert demo.results()["solves"] == 3


def test_training_helps(network, panda: dk.Robot) -> None:
    from diffkin.learning import held_out, pose_errors

    q, targets = held_out(panda, 300)
    errors = [
        float(pose_errors(panda, targets, each.sample(targets)[:, 0])[0].median())
        for each in (quick_network(panda, steps=1), network)
    ]
    assert errors[1] < 0.8 * errors[0]


def test_a_checkpoint_is_loaded_and_checked(network, panda: dk.Robot, iiwa: dk.Robot, tmp_path: Path) -> None:
    save(network, tmp_path / "network.safetensors")
    assert LearnedDemo(panda, tmp_path / "network.safetensors").results()["network"] == "through_fk"
    with pytest.raises(OptionError, match="robot=franka_panda"):
        LearnedDemo(iiwa, tmp_path / "network.safetensors")
    with pytest.raises(OptionError, match="another mode"):
        LearnedDemo(dk.load_robot("planar_2r"))
