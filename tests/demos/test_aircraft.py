"""Aircraft demos by their names, for both airframes, all along a rehearsal."""

import pickle
from functools import partial

import pytest

from diffkin import aircraft
from diffkin.demos.aircraft import AIRCRAFT_MODES, aircraft_demo
from diffkin.demos.scene import Moment, first_values
from diffkin.errors import UnknownNameError
from tests.demos.walk import walk


@pytest.mark.parametrize("name", ["fixed_wing", "quadrotor"])
@pytest.mark.parametrize("mode", AIRCRAFT_MODES)
def test_every_mode_rehearses(name: str, mode: str) -> None:
    demo = aircraft_demo(mode, aircraft.load_airframe(name))
    first = demo.begin()
    values = first_values(demo.controls)
    assert set(first.shows) <= set(values)
    for k in range(1, 8):
        touched = demo.rehearsal(0.2 * k)
        assert set(touched) <= {control.name for control in demo.controls}
        values |= {key: value for key, value in touched.items() if key in values}
        scene = demo.step(Moment(0.2 * k, 0.2, values, frozenset(touched)))
    assert scene.bodies[0].base is not None and first.bodies[0].base is not None
    assert float((scene.bodies[0].base - first.bodies[0].base).abs().max()) > 0.01  # it moves
    assert demo.results()["aircraft"] == name
    texts = [reading.name for reading in scene.readings] + [control.name for control in demo.controls] + [demo.title]
    assert all(text.isascii() for text in texts)


@pytest.mark.parametrize("name", ["fixed_wing", "quadrotor"])
@pytest.mark.parametrize("mode", AIRCRAFT_MODES)
def test_every_control_may_be_touched(name: str, mode: str) -> None:
    demo = aircraft_demo(mode, aircraft.load_airframe(name))
    assert walk(demo) > 2 * len(demo.controls)


def test_a_demo_can_be_made_in_another_process() -> None:
    make = partial(aircraft_demo, "attitude", aircraft.load_airframe("quadrotor"), sequence="ZXZ")
    assert pickle.loads(pickle.dumps(make))().title == "quadrotor: attitude ZXZ"


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="gimbal_lock"):
        aircraft_demo("gimbal", aircraft.load_airframe("fixed_wing"))
