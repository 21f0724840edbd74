"""The arm follows its target: what each control does."""

import pytest
import torch

import diffkin as dk
from diffkin.demos.arm.follow import FollowDemo
from diffkin.demos.scene import Demo, Moment, Scene, first_values
from diffkin.rotations import angle_between, euler_to_matrix


class Player:
    """Somebody who touches controls; they show what the demo wants, as on a stage."""

    def __init__(self, demo: Demo) -> None:
        self.demo, self.scene, self.t = demo, demo.begin(), 0.0
        self.values = first_values(demo.controls)

    def touch(self, measured: dict | None = None, **wanted: object) -> Scene:
        named = {
            name.replace("_", " ") if name.replace("_", " ") in self.names else name: v for name, v in wanted.items()
        }
        self.t += 0.5
        shown = {**self.values, **{k: v for k, v in self.scene.shows.items() if k in self.values}}
        self.values = {**shown, **{k: v for k, v in named.items() if k in self.values}}
        self.scene = self.demo.step(Moment(self.t, 0.5, self.values, frozenset(named), measured or {}))
        return self.scene

    @property
    def names(self) -> set[str]:
        return {control.name for control in self.demo.controls}

    def frame(self, name: str) -> torch.Tensor:
        return next(frame.pose for frame in self.scene.frames if frame.name == name)


@pytest.fixture
def player(panda: dk.Robot) -> Player:
    return Player(FollowDemo(panda))


def test_sliders_move_the_target_and_the_arm_follows(player: Player) -> None:
    start = player.frame("target")
    player.touch(target_x=0.5, target_z=0.45)
    target = player.frame("target")
    assert target[:3, 3].tolist() == pytest.approx([0.5, float(start[1, 3]), 0.45])
    assert player.scene.reading("success").value is True
    torch.testing.assert_close(player.frame("reached"), target, rtol=0.0, atol=1e-5)
    player.touch(target_yaw=30.0, target_roll=-10.0)
    angles = torch.deg2rad(torch.tensor([30.0, 0.0, -10.0], dtype=torch.float64))
    wanted = euler_to_matrix(angles, "ZYX") @ start[:3, :3]
    torch.testing.assert_close(player.frame("target")[:3, :3], wanted)
    assert player.scene.shows["target yaw"] == pytest.approx(30.0)
    assert player.scene.reading("success").value is True


def test_joint_sliders_lead_and_target_sliders_follow(player: Player, panda: dk.Robot) -> None:
    name = panda.joint_names[1]
    player.touch(**{name: 0.4})
    arm = player.scene.bodies[0].q
    assert float(arm[1]) == pytest.approx(0.4)
    tip = panda.forward_kinematics(arm)
    assert player.scene.shows["target z"] == pytest.approx(float(tip[2, 3]))
    torch.testing.assert_close(player.frame("target"), tip, rtol=0.0, atol=1e-9)
    turned = euler_to_matrix(
        torch.deg2rad(torch.tensor([player.scene.shows[f"target {a}"] for a in ("yaw", "pitch", "roll")])).double(),
        "ZYX",
    )
    start = panda.forward_kinematics(FollowDemo(panda).begin().bodies[0].q)
    assert float(angle_between(turned @ start[:3, :3], tip[:3, :3])) < 1e-6


def test_a_gizmo_moves_the_target(player: Player) -> None:
    pose = player.frame("target").clone()
    pose[2, 3] += 0.1
    player.touch(target=pose)
    torch.testing.assert_close(player.frame("reached"), pose, rtol=0.0, atol=1e-5)


def test_buttons(player: Player) -> None:
    start, q = player.frame("target"), player.scene.bodies[0].q
    poses = []
    for _ in range(3):
        scene = player.touch(random_target=1)
        assert scene.reading("success").value is True and float(player.frame("target")[2, 3]) > 0.0
        poses.append(player.frame("target"))
    assert not torch.equal(poses[0], poses[1])
    scene = player.touch(reset=1)
    torch.testing.assert_close(player.frame("target"), start)
    torch.testing.assert_close(scene.bodies[0].q, q, rtol=0.0, atol=1e-6)


def test_other_solvers_go_on_from_frame_to_frame(player: Player) -> None:
    player.touch(solver="lbfgs", target_z=0.5)
    for _ in range(40):
        if player.scene.reading("success").value:
            break
        player.touch()
    assert player.scene.reading("solver").value == "lbfgs" and player.scene.reading("success").value is True


def test_out_of_reach_is_no_success(player: Player) -> None:
    scene = player.touch(target_x=0.9, target_y=0.9, target_z=1.5)
    assert scene.reading("success").value is False and scene.reading("position error").value > 100.0


def test_ghosts_are_all_other_solutions(player: Player, panda: dk.Robot) -> None:
    assert len(player.scene.bodies) == 1
    scene = player.touch(all_solutions="on")
    ghosts = scene.bodies[1:]
    assert 5 <= len(ghosts) <= 10
    assert [scene.reading(name).value for name in ("solutions", "that look different")] == ["endless", 10]
    for k, ghost in enumerate(ghosts):
        pose = panda.forward_kinematics(ghost.q)
        torch.testing.assert_close(pose, player.frame("target"), rtol=0.0, atol=1e-5)
        for other in (scene.bodies[0], *ghosts[:k]):
            assert float((ghost.q - other.q).norm()) > 0.1
    assert len(player.touch(all_solutions="off").bodies) == 1


def test_motors_show_where_the_arm_really_is(player: Player, panda: dk.Robot) -> None:
    assert player.touch(motion="motors").bodies[0].driven
    behind = player.scene.bodies[0].q + 0.02
    scene = player.touch(measured={"arm": behind})
    torch.testing.assert_close(player.frame("reached"), panda.forward_kinematics(behind))
    away = float((player.frame("reached") - player.frame("target"))[:3, 3].norm())
    assert scene.reading("motors are off by").value == pytest.approx(1e3 * away) and away > 1e-3


def test_any_solution_need_not_be_the_near_one(panda: dk.Robot) -> None:
    near, free = Player(FollowDemo(panda)), Player(FollowDemo(panda))
    free.touch(solution="any")
    steps = []
    for player in (near, free):
        last, most = player.scene.bodies[0].q, 0.0
        for k in range(8):
            q = player.touch(target_y=0.05 * k).bodies[0].q
            most, last = max(most, float((q - last).abs().max())), q
        steps.append(most)
    assert steps[0] < 0.5 < steps[1]


def test_bullet_stands_beside(panda: dk.Robot) -> None:
    pytest.importorskip("pybullet")
    from diffkin.demos.arm.answers import bullet_opinion

    player = Player(FollowDemo(panda, bullet_opinion(panda)))
    player.touch(target_z=0.5)
    assert player.scene.reading("Bullet's own IK").value < 1e3
    assert player.scene.reading("  within limits").value in (True, False)
