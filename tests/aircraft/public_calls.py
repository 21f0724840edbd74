"""One good call of every public function of ``diffkin.aircraft``, for the tests that walk through all of them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from diffkin import aircraft, rotations

__all__ = ["CALLS", "call", "change", "tensors"]

Call = tuple[Callable[..., Any], dict[str, Any]]

N = 4  # problems in a batch


def _draw(dtype: torch.dtype) -> Callable[..., Tensor]:
    """Normal numbers of any shape, the same each time; drawn in float64, so that dtypes hold the same ones."""
    generator = torch.Generator("cpu").manual_seed(7)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64, device="cpu").to(dtype)

    return draw


def _rotations(dtype: torch.dtype, seed: int = 3) -> Tensor:
    vectors = torch.randn(N, 3, generator=torch.Generator("cpu").manual_seed(seed), dtype=torch.float64, device="cpu")
    return rotations.rotvec_to_matrix(vectors).to(dtype)


@functools.cache
def _airframe(dtype: torch.dtype) -> aircraft.Airframe:
    return aircraft.load_airframe("fixed_wing").to(dtype=dtype)


def _numbers(*values: float, dtype: torch.dtype) -> Tensor:
    return torch.tensor(values, dtype=dtype, device="cpu")


def _frames(dtype: torch.dtype) -> dict[str, Call]:
    draw, R = _draw(dtype), _rotations(dtype)
    pose = torch.eye(4, dtype=dtype, device="cpu").repeat(N, 1, 1)
    pose[:, :3, :3], pose[:, :3, 3] = R, draw(N, 3)
    alpha, beta = 0.3 * draw(N), 0.2 * draw(N)
    place = _numbers(0.6, 0.3, 100.0, dtype=dtype)
    spread = _numbers(1e-3, 1e-3, 100.0, dtype=dtype)
    ecef = aircraft.geodetic_to_ecef(place + spread * draw(N, 3))
    calls: dict[str, Call] = {}
    for first, second in (("ned", "enu"), ("frd", "flu")):
        for a, b in ((first, second), (second, first)):
            calls[f"{a}_to_{b}"] = (getattr(aircraft, f"{a}_to_{b}"), {"vector": draw(N, 3)})
    for name, kind in (
        ("attitude_ned_to_enu", "R_ned_body"),
        ("attitude_enu_to_ned", "R_enu_body"),
        ("attitude_frd_to_flu", "R_local_frd"),
        ("attitude_flu_to_frd", "R_local_flu"),
        ("attitude_ned_frd_to_enu_flu", "R_ned_frd"),
        ("attitude_enu_flu_to_ned_frd", "R_enu_flu"),
        ("wind_to_body_angles", "R_body_wind"),
        ("bank_pitch", "R_ned_body"),
    ):
        calls[name] = (getattr(aircraft, name), {kind: R})
    calls["pose_ned_frd_to_enu_flu"] = (aircraft.pose_ned_frd_to_enu_flu, {"T_ned_frd": pose})
    calls["pose_enu_flu_to_ned_frd"] = (aircraft.pose_enu_flu_to_ned_frd, {"T_enu_flu": pose})
    for name in ("ecef", "ned", "enu"):
        vector = {"ecef": ecef, "ned": 100 * draw(N, 3), "enu": 100 * draw(N, 3)}[name]
        for other in ("ecef", "ned", "enu", "geodetic"):
            if f"{name}_to_{other}" in aircraft.__all__ and {name, other} != {"ned", "enu"}:
                origin = {} if (name, other) == ("ecef", "geodetic") else {"origin": place}
                calls[f"{name}_to_{other}"] = (getattr(aircraft, f"{name}_to_{other}"), {name: vector, **origin})
    near = place + spread * draw(N, 3)
    calls["geodetic_to_ecef"] = (aircraft.geodetic_to_ecef, {"geodetic": near})
    calls["geodetic_to_ned"] = (aircraft.geodetic_to_ned, {"geodetic": near, "origin": place})
    calls["geodetic_to_enu"] = (aircraft.geodetic_to_enu, {"geodetic": near, "origin": place})
    calls["ecef_to_ned_rotation"] = (aircraft.ecef_to_ned_rotation, {"origin": near})
    return calls | {
        "stability_to_body": (aircraft.stability_to_body, {"alpha": alpha}),
        "wind_to_stability": (aircraft.wind_to_stability, {"beta": beta}),
        "wind_to_body": (aircraft.wind_to_body, {"alpha": alpha, "beta": beta}),
        "velocity_to_air_data": (aircraft.velocity_to_air_data, {"v_body": draw(N, 3)}),
        "air_data_to_velocity": (
            aircraft.air_data_to_velocity,
            {"airspeed": 20 + draw(N), "alpha": alpha, "beta": beta},
        ),
        "azimuth_elevation_to_direction": (
            aircraft.azimuth_elevation_to_direction,
            {"azimuth": alpha, "elevation": beta},
        ),
        "direction_to_azimuth_elevation": (aircraft.direction_to_azimuth_elevation, {"direction": draw(N, 3)}),
    }


def _airframes(dtype: torch.dtype) -> dict[str, Call]:
    draw, R, plane = _draw(dtype), _rotations(dtype), _airframe(dtype)
    position = draw(N, 3)
    q = 0.1 * draw(N, plane.dof)
    ahead = _numbers(1.0, 0.2, 0.1, dtype=dtype) + 0.1 * draw(N, 3)
    place = {"R_ned_body": R, "position": position, "q": q}
    start, end = (v / v.norm(dim=-1, keepdim=True) for v in (draw(N, 3), draw(N, 3)))
    poses = torch.eye(4, dtype=dtype, device="cpu").repeat(N, 1, 1, 1)
    poses[:, 0, :3, :3] = R
    problem = torch.arange(N, device="cpu")

    jacobians: dict[str, Call] = {}
    for kind, mark in (("point", "camera"), ("ray", "boresight")):
        for method in ("geometric", "backward_seeds", "reverse", "forward"):
            given = {"airframe": plane, "name": mark, **place, "method": method}
            name = f"{kind}_jacobian" + (f" {method}" if method != "geometric" else "")
            jacobians[name] = (getattr(aircraft, f"{kind}_jacobian"), given)

    def residual(kind: Callable[..., Any]) -> Callable[..., Tensor]:
        return lambda **given: kind(**given).residual(poses, q, problem)

    return jacobians | {
        "Airframe": (
            lambda robot, points, rays: aircraft.Airframe(robot, points, rays).points_ned(**place),
            {"robot": plane.robot, "points": dict(plane.points), "rays": dict(plane.rays)},
        ),
        "Airframe.points_body": (plane.points_body, {"q": q, "names": ["nose", "camera"]}),
        "Airframe.rays_body": (plane.rays_body, {"q": q, "names": ["boresight"]}),
        "Airframe.points_ned": (plane.points_ned, {**place, "names": ["nose", "camera"]}),
        "Airframe.rays_ned": (plane.rays_ned, {**place, "names": ["boresight"]}),
        "Airframe.mass_properties": (plane.mass_properties, {"q": q}),
        "Airframe.to": (lambda dtype: plane.to(dtype).points_body(), {"dtype": torch.float64}),
        "BodyPoint": (
            lambda link, offset: aircraft.load_airframe(
                plane.robot, points={"mark": aircraft.BodyPoint(link, offset)}
            ).points_body(),
            {"link": "camera", "offset": (0.1, 0.2, 0.3)},
        ),
        "BodyRay": (
            lambda link, axis, offset: aircraft.load_airframe(
                plane.robot, rays={"mark": aircraft.BodyRay(link, axis, offset)}
            ).rays_body(),
            {"link": "camera", "axis": (1.0, 0.0, 0.5), "offset": (0.1, 0.2, 0.3)},
        ),
        "load_airframe": (
            lambda robot, points, rays: aircraft.load_airframe(robot, points, rays).to(dtype=dtype).points_body(),
            {"robot": "fixed_wing", "points": dict(plane.points), "rays": dict(plane.rays)},
        ),
        "mass_properties": (aircraft.mass_properties, {"robot": plane.robot, "q": q}),
        "MassProperties": (aircraft.MassProperties, {"mass": draw(), "center": draw(3), "inertia": draw(3, 3)}),
        "point_axis": (
            aircraft.point_axis,
            {
                "axis_body": draw(N, 3),
                "direction": draw(N, 3),
                "up_body": draw(N, 3),
                "up": draw(N, 3),
                "roll": draw(N),
            },
        ),
        "align_vectors": (
            aircraft.align_vectors,
            {"first_body": draw(N, 3), "second_body": draw(N, 3), "first": draw(N, 3), "second": draw(N, 3)},
        ),
        "least_turn": (aircraft.least_turn, {"start": start, "end": end}),
        "turn_to": (aircraft.turn_to, {"start": start, "end": end}),
        "point": (
            aircraft.point,
            {
                "airframe": plane,
                "targets": aircraft.RayTarget("boresight", direction=ahead),
                "position": position,
                "R_ned_body": torch.eye(3, dtype=dtype, device="cpu"),
                "max_bank": 0.5,
                "max_pitch": 0.5,
                "tolerance": 1e-4,
                "max_restarts": 3,
                "max_iterations": 50,
                "seed": 0,
                "roll": "level",
                "locked": ["rudder"] if "rudder" in plane.robot.joint_names else [],
                "keep_out": aircraft.KeepOut("boresight", -ahead, 0.1),
            },
        ),
        "RayTarget": (
            lambda ray, direction, priority: aircraft.point(
                plane, aircraft.RayTarget(ray, direction=direction, priority=priority), tolerance=1e-4
            ),
            {"ray": "boresight", "direction": ahead, "priority": 0},
        ),
        "KeepOut": (
            lambda ray, direction, half_angle: aircraft.point(
                plane,
                aircraft.RayTarget("boresight", direction=ahead),
                keep_out=aircraft.KeepOut(ray, direction, half_angle),
                tolerance=1e-4,
            ),
            {"ray": "boresight", "direction": -ahead, "half_angle": 0.1},
        ),
        "BankPitchLimitTask": (
            residual(aircraft.BankPitchLimitTask),
            {"link": "body", "max_bank": 0.3, "max_pitch": 0.3},
        ),
        "KeepOutConeTask": (
            residual(aircraft.KeepOutConeTask),
            {"link": "body", "axis": (1.0, 0.0, 0.0), "target": draw(N, 3), "half_angle": 1.0},
        ),
        "RayAtPointTask": (
            residual(aircraft.RayAtPointTask),
            {"link": "body", "axis": (1.0, 0.0, 0.0), "target": draw(N, 3)},
        ),
        "RayDirectionTask": (
            residual(aircraft.RayDirectionTask),
            {"link": "body", "axis": (1.0, 0.0, 0.0), "target": draw(N, 3)},
        ),
        "WingsLevelTask": (residual(aircraft.WingsLevelTask), {"link": "body"}),
    }


def _estimators(dtype: torch.dtype) -> dict[str, Call]:
    draw, R = _draw(dtype), _rotations(dtype)
    quat = rotations.matrix_to_quat_xyzw(R)
    down, north = _numbers(0.0, 0.0, 9.80665, dtype=dtype), _numbers(0.5, 0.0, 0.8, dtype=dtype)
    reading = {
        "gyro": draw(N, 3),
        "accel": -rotations.quat_xyzw_rotate(rotations.quat_xyzw_inverse(quat), down) + 0.1 * draw(N, 3),
        "mag": rotations.quat_xyzw_rotate(rotations.quat_xyzw_inverse(quat), north) + 0.01 * draw(N, 3),
        "dt": 0.02,
    }
    records = {
        name: part.unsqueeze(-2) + 0.01 * draw(N, 5, 3) if isinstance(part, Tensor) else part
        for name, part in reading.items()
    }
    state = aircraft.FilterState(quat, 0.01 * draw(N, 3))
    kalman = aircraft.initial_mekf_state(quat)
    noise = aircraft.MEKFNoise()
    reference = draw(N, 5, 3)
    seen = torch.einsum("nji,nkj->nki", R.double(), reference.double()).to(dtype)
    pair = {"first_body": draw(N, 3), "second_body": draw(N, 3)}
    return {
        "FilterState": (aircraft.FilterState, {"quat_xyzw": quat, "bias": draw(N, 3)}),
        "MadgwickGains": (
            lambda beta, zeta: aircraft.madgwick_step(state, **reading, gains=aircraft.MadgwickGains(beta, zeta)),
            {"beta": 0.1, "zeta": 0.01},
        ),
        "MahonyGains": (
            lambda accelerometer, magnetometer, integral: aircraft.mahony_step(
                state, **reading, gains=aircraft.MahonyGains(accelerometer, magnetometer, integral)
            ),
            {"accelerometer": 1.0, "magnetometer": 1.0, "integral": 0.1},
        ),
        "MEKFNoise": (
            lambda **given: aircraft.mekf_step(kalman, **reading, noise=aircraft.MEKFNoise(**given)),
            {
                "gyro": 1e-3,
                "bias": 1e-5,
                "accel": 0.1,
                "mag": 0.02,
                "gravity": (0.0, 0.0, 9.8),
                "field": (0.5, 0.0, 0.8),
            },
        ),
        "MEKFState": (aircraft.MEKFState, {"quat_xyzw": quat, "bias": draw(N, 3), "covariance": draw(N, 6, 6)}),
        "initial_state": (aircraft.initial_state, {"batch": (N,), "dtype": dtype, "device": "cpu"}),
        "initial_mekf_state": (
            aircraft.initial_mekf_state,
            {"quat_xyzw": quat, "attitude_sigma": 0.5, "bias_sigma": 0.05},
        ),
        "madgwick_step": (
            aircraft.madgwick_step,
            {"state": state, **reading, "gains": aircraft.MadgwickGains(0.1, 0.01)},
        ),
        "mahony_step": (aircraft.mahony_step, {"state": state, **reading, "gains": aircraft.MahonyGains()}),
        "mekf_step": (aircraft.mekf_step, {"state": kalman, **reading, "noise": noise}),
        "mekf_predict": (
            aircraft.mekf_predict,
            {"state": kalman, "gyro": reading["gyro"], "dt": 0.02, "noise": noise},
        ),
        "mekf_update": (
            aircraft.mekf_update,
            {"state": kalman, "measured": reading["mag"], "reference": north, "sigma": 0.02},
        ),
        "run_filter": (
            aircraft.run_filter,
            {"step": aircraft.mahony_step, "state": state, **records, "gains": aircraft.MahonyGains()},
        ),
        "run_filter mekf": (
            aircraft.run_filter,
            {"step": aircraft.mekf_step, "state": kalman, **records, "gains": noise},
        ),
        "solve_wahba": (
            aircraft.solve_wahba,
            {"v_body": seen, "v_reference": reference, "weights": draw(N, 5).abs(), "method": "quest"},
        ),
        "triad": (aircraft.triad, {**pair, "first_reference": draw(N, 3), "second_reference": draw(N, 3)}),
        "triad_covariance": (aircraft.triad_covariance, {**pair, "sigma_first": 0.01, "sigma_second": 0.02}),
        "wahba_covariance": (
            aircraft.wahba_covariance,
            {"v_body": draw(N, 5, 3), "sigma": 0.01 + 0.01 * draw(N, 5).abs(), "weights": draw(N, 5).abs()},
        ),
        "WAHBA_METHODS": (
            lambda **given: [aircraft.solve_wahba(**given, method=method) for method in aircraft.WAHBA_METHODS],
            {"v_body": seen, "v_reference": reference},
        ),
    }


def _movers(dtype: torch.dtype) -> dict[str, Call]:
    draw, R = _draw(dtype), _rotations(dtype)
    omega, inertia = draw(N, 3), _numbers(0.01, 0.012, 0.02, dtype=dtype)
    products = torch.diag(inertia).repeat(N, 1, 1)
    law = {
        "R": R,
        "omega": omega,
        "R_desired": _rotations(dtype, 5),
        "inertia": inertia,
        "k_attitude": 0.3,
        "k_rate": 0.1,
        "omega_desired": draw(N, 3),
        "rotor_momentum": 0.01 * draw(3),
    }
    run = {
        "R0": R,
        "omega0": omega,
        "inertia": products,
        "torque": 0.01 * draw(N, 6, 3),
        "dt": 0.01,
        "steps": 6,
        "rotor_momentum": 0.01 * draw(N, 3),
    }
    spins = _numbers(1.0, -1.0, 1.0, -1.0, dtype=dtype)
    corners = _numbers(0.2, 0.0, -0.2, 0.0, dtype=dtype), _numbers(0.0, 0.2, 0.0, -0.2, dtype=dtype)
    rotors = {
        "positions": torch.stack(corners, -1),
        "spins": spins,
        "thrust_coefficient": 1e-5,
        "torque_ratio": 0.02,
        "max_thrust": 8.0,
        "min_thrust": 0.1,
    }
    mixer = aircraft.QuadrotorMixer.from_rotors(**rotors)
    wish = {"thrust": 15 + draw(N), "torque": 0.2 * draw(N, 3)}
    times, turning = _numbers(0.0, 1.0, 2.0, 3.0, dtype=dtype), _numbers(500.0, 510.0, 490.0, 505.0, dtype=dtype)
    return {
        "angular_momentum": (
            aircraft.angular_momentum,
            {"R": R, "omega": omega, "inertia": inertia, "rotor_momentum": draw(3)},
        ),
        "check_inertia": (aircraft.check_inertia, {"inertia": products, "name": "inertia"}),
        "rotational_energy": (aircraft.rotational_energy, {"omega": omega, "inertia": inertia}),
        "simulate_attitude": (aircraft.simulate_attitude, run),
        "simulate_attitude feedback": (
            aircraft.simulate_attitude,
            {**run, "torque": lambda k, R, omega: -0.01 * omega, "integrator": "lie_midpoint", "damping": 0.1},
        ),
        "simulate_attitude reference": (
            aircraft.simulate_attitude,
            {**run, "integrator": "bullet", "backend": "reference"},
        ),
        "AttitudeReference": (aircraft.AttitudeReference, {"R": R, "omega": omega, "alpha": omega}),
        "QuadrotorMixer": (aircraft.QuadrotorMixer.from_rotors, rotors),
        "QuadrotorMixer.speeds": (mixer.speeds, wish),
        "QuadrotorMixer.thrusts": (mixer.thrusts, wish),
        "QuadrotorMixer.to": (lambda dtype: mixer.to(dtype).wrench(turning), {"dtype": torch.float64}),
        "QuadrotorMixer.wrench": (mixer.wrench, {"speeds": 500 + 10 * draw(N, 4)}),
        "allocate_surfaces": (
            aircraft.allocate_surfaces,
            {
                "effectiveness": draw(N, 3, 4),
                "torque": draw(N, 3),
                "lower": -0.4 * torch.ones_like(draw(4)),
                "upper": 0.4 * torch.ones_like(draw(4)),
                "preferred": 0.1 * draw(4),
                "torque_weights": draw(3).abs(),
                "effort": 1e-2,
            },
        ),
        "bounded_least_squares": (
            aircraft.bounded_least_squares,
            {
                "matrix": draw(N, 6, 3),
                "target": draw(N, 6),
                "lower": -0.1 * torch.ones_like(draw(3)),
                "upper": 0.2 * torch.ones_like(draw(3)),
                "max_iterations": 20,
            },
        ),
        "attitude_error": (aircraft.attitude_error, {"R": R, "R_desired": law["R_desired"]}),
        "rate_error": (
            aircraft.rate_error,
            {name: law[name] for name in ("R", "omega", "R_desired", "omega_desired")},
        ),
        "geometric_pd": (aircraft.geometric_pd, {**law, "alpha_desired": draw(N, 3)}),
        "log_pd": (aircraft.log_pd, {**law, "alpha_desired": draw(N, 3)}),
        "sqrt_cascade": (aircraft.sqrt_cascade, {**law, "acceleration": 20.0}),
        "sqrt_law": (aircraft.sqrt_law, {"error": draw(N, 3), "gain": 2.0, "acceleration": 1.0}),
        "saturate": (aircraft.saturate, {"torque": draw(N, 3), "limit": 0.5}),
        "minimum_jerk": (aircraft.minimum_jerk, {"t": draw(N), "duration": 2.0}),
        "attitude_reference": (
            aircraft.attitude_reference,
            {"keys": R, "times": times, "t": 1.5 + draw(N)},
        ),
    }


def _pointing(dtype: torch.dtype) -> dict[str, Call]:
    """``Pointing`` is what ``point`` returns: to make one by hand is to fill its fields."""
    q = torch.zeros(N, 2, dtype=dtype, device="cpu")
    done = torch.ones(N, dtype=torch.bool, device="cpu")
    fields = {"R_ned_body": _rotations(dtype), "q": q, "success": done, "pointing_error": q[:, 0], "ik": None}
    return {"Pointing": (aircraft.Pointing, fields)}


@functools.cache
def _calls(dtype: torch.dtype) -> dict[str, Call]:
    return _frames(dtype) | _airframes(dtype) | _estimators(dtype) | _movers(dtype) | _pointing(dtype)


CALLS = sorted(_calls(torch.float64))
"""Names of the calls: a public name, or one followed by a method or a remark."""


def call(name: str, dtype: torch.dtype = torch.float64) -> Call:
    """A function and good arguments for it, by name."""
    return _calls(dtype)[name]


def tensors(value: Any) -> Iterator[Tensor]:
    """All tensors of a result, in a fixed order."""
    if isinstance(value, Tensor):
        yield value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from tensors(getattr(value, field.name))
    elif isinstance(value, dict):
        for part in value.values():
            yield from tensors(part)
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from tensors(part)


def change(value: Any, of: Callable[[Tensor], Tensor]) -> Any:
    """The same arguments with every floating tensor changed; airframes and robots stay."""
    if isinstance(value, Tensor):
        return of(value) if value.is_floating_point() else value
    if isinstance(value, (aircraft.RayTarget, aircraft.KeepOut)):
        return dataclasses.replace(
            value, **{f.name: change(getattr(value, f.name), of) for f in dataclasses.fields(value)}
        )
    if isinstance(value, dict):
        return {name: change(part, of) for name, part in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(change(part, of) for part in value))
    return value
