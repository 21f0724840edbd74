"""Worlds open with and without a window, hold gravity, and close."""

import sys

import pytest

from diffkin.simulation import library, world

pytestmark = pytest.mark.skipif(not library.is_installed(), reason="needs pybullet")


def test_bodies_fall_by_gravity_and_the_world_closes() -> None:
    p = library.bullet()
    with world.open_world() as client:
        body = p.createMultiBody(1.0, basePosition=[0.0, 0.0, 10.0], physicsClientId=client)
        p.changeDynamics(body, -1, linearDamping=0.0, physicsClientId=client)
        for _ in range(240):
            p.stepSimulation(physicsClientId=client)
        height = p.getBasePositionAndOrientation(body, physicsClientId=client)[0][2]
    # semi-implicit Euler: n (n + 1) / 2 steps of g dt^2
    assert height == pytest.approx(10.0 + world.GRAVITY * world.TIME_STEP**2 * 240 * 241 / 2, abs=1e-9)
    assert not p.isConnected(client)


def test_gui_without_display_goes_on(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("displays are looked for on Linux only")
    for display in (None, ":987"):
        if display is None:
            monkeypatch.delenv("DISPLAY", raising=False)
        else:
            monkeypatch.setenv("DISPLAY", display)
        with world.open_world(gui=True) as client:
            assert library.bullet().getConnectionInfo(client)["connectionMethod"] == library.bullet().DIRECT
        assert "No PyBullet window" in capfd.readouterr().err
