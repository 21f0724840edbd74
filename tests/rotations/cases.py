"""Every function of rotations, with a batch of ten inputs each, special points among them."""

from __future__ import annotations

from collections.abc import Callable
from math import pi

import torch
from torch import Tensor

from diffkin import rotations as r

Function = Callable[..., Tensor]


def rotvecs() -> Tensor:
    """Zero, near zero, ordinary, near and at the half turn, pitch at the pole."""
    axis = torch.tensor([2.0, -1.0, 2.0], dtype=torch.float64) / 3.0
    rows = [angle * axis for angle in (0.0, 1e-10, 1e-4, 1.0, pi - 1e-6, pi)]
    rows += [
        torch.tensor(row, dtype=torch.float64) for row in ([pi, 0, 0], [0, pi / 2, 0], [0, -pi / 2, 0], [0, 0, 0.3])
    ]
    return torch.stack(rows)


def matrices() -> Tensor:
    return r.rotvec_to_matrix(rotvecs())


def others() -> Tensor:
    return r.random_rotation(10, seed=3)


def quats() -> Tensor:
    return r.rotvec_to_quat_xyzw(rotvecs())


def angles() -> Tensor:
    poles = [[0.0, 0.0, 0.0], [0.3, pi / 2, -0.2], [0.3, -pi / 2, 0.1], [0.2, pi, 0.1], [1.0, 1.0, 1.0]]
    return torch.cat([torch.tensor(poles, dtype=torch.float64), 2.0 * rotvecs()[3:8]])


def fractions() -> Tensor:
    return torch.linspace(0.0, 1.0, 10, dtype=torch.float64)


def pairs() -> Tensor:
    return torch.stack([matrices(), r.slerp(matrices(), others(), 0.3)], 1)


def sequences(values: Tensor) -> Tensor:
    return torch.stack([values, values.flip(0), values], 1)


def euler(function: Function, sequence: str) -> Function:
    return lambda *arguments: function(*arguments, sequence)


# Each function with a batch of ten inputs, special points among them.
CASES: dict[str, tuple[Function, tuple[Tensor, ...]]] = {
    "hat": (r.hat, (rotvecs(),)),
    "vee": (r.vee, (matrices(),)),
    "adjoint": (r.adjoint, (matrices(),)),
    "rotvec_to_matrix": (r.rotvec_to_matrix, (rotvecs(),)),
    "matrix_to_rotvec": (r.matrix_to_rotvec, (matrices(),)),
    "rotvec_to_quat_xyzw": (r.rotvec_to_quat_xyzw, (rotvecs(),)),
    "quat_xyzw_to_rotvec": (r.quat_xyzw_to_rotvec, (quats(),)),
    "quat_xyzw_to_matrix": (r.quat_xyzw_to_matrix, (quats(),)),
    "matrix_to_quat_xyzw": (r.matrix_to_quat_xyzw, (matrices(),)),
    "quat_wxyz_to_matrix": (r.quat_wxyz_to_matrix, (quats(),)),
    "matrix_to_quat_wxyz": (r.matrix_to_quat_wxyz, (matrices(),)),
    "quat_xyzw_to_wxyz": (r.quat_xyzw_to_wxyz, (quats(),)),
    "quat_wxyz_to_xyzw": (r.quat_wxyz_to_xyzw, (quats(),)),
    "quat_xyzw_multiply": (r.quat_xyzw_multiply, (quats(), quats().flip(0))),
    "quat_xyzw_conjugate": (r.quat_xyzw_conjugate, (quats(),)),
    "quat_xyzw_inverse": (r.quat_xyzw_inverse, (quats(),)),
    "quat_xyzw_normalize": (r.quat_xyzw_normalize, (quats(),)),
    "quat_xyzw_rotate": (r.quat_xyzw_rotate, (quats(), rotvecs())),
    "left_jacobian": (r.left_jacobian, (rotvecs(),)),
    "left_jacobian_inverse": (r.left_jacobian_inverse, (rotvecs(),)),
    "right_jacobian": (r.right_jacobian, (rotvecs(),)),
    "right_jacobian_inverse": (r.right_jacobian_inverse, (rotvecs(),)),
    "gibbs_to_matrix": (r.gibbs_to_matrix, (rotvecs(),)),
    "matrix_to_gibbs": (r.matrix_to_gibbs, (matrices(),)),
    "mrp_to_matrix": (r.mrp_to_matrix, (rotvecs(),)),
    "matrix_to_mrp": (r.matrix_to_mrp, (matrices(),)),
    "mrp_shadow": (r.mrp_shadow, (rotvecs(),)),
    "rot6d_to_matrix": (r.rot6d_to_matrix, (2.0 * r.matrix_to_rot6d(matrices()),)),
    "matrix_to_rot6d": (r.matrix_to_rot6d, (matrices(),)),
    "quat_xyzw_rate_matrix": (r.quat_xyzw_rate_matrix, (quats(),)),
    "quat_xyzw_body_rate_matrix": (r.quat_xyzw_body_rate_matrix, (quats(),)),
    "mrp_rate_matrix": (r.mrp_rate_matrix, (rotvecs(),)),
    "mrp_body_rate_matrix": (r.mrp_body_rate_matrix, (rotvecs(),)),
    "gibbs_rate_matrix": (r.gibbs_rate_matrix, (rotvecs(),)),
    "gibbs_body_rate_matrix": (r.gibbs_body_rate_matrix, (rotvecs(),)),
    "angle_between": (r.angle_between, (matrices(), matrices())),
    "angle_between_other": (r.angle_between, (matrices(), others())),
    "slerp": (r.slerp, (matrices(), others(), fractions())),
    "squad": (r.squad, (matrices(), others(), others(), matrices(), fractions())),
    "mean_rotation": (r.mean_rotation, (pairs(),)),
    "nearest_rotation": (r.nearest_rotation, (2.0 * matrices(),)),
    "quat_xyzw_closest_to": (r.quat_xyzw_closest_to, (quats(), -quats())),
    "rotvec_closest_to": (r.rotvec_closest_to, (rotvecs(), 7.0 * rotvecs())),
    "quat_xyzw_unwrap": (r.quat_xyzw_unwrap, (sequences(quats()),)),
    "rotvec_unwrap": (r.rotvec_unwrap, (sequences(rotvecs()),)),
}
for _name in ("ZYX", "xyz", "ZXZ", "yzy"):
    CASES[f"euler_to_matrix {_name}"] = (euler(r.euler_to_matrix, _name), (angles(),))
    CASES[f"matrix_to_euler {_name}"] = (euler(r.matrix_to_euler, _name), (matrices(),))
    CASES[f"euler_rate_matrix {_name}"] = (euler(r.euler_rate_matrix, _name), (angles(),))
    CASES[f"body_rate_matrix {_name}"] = (euler(r.body_rate_matrix, _name), (angles(),))
    CASES[f"euler_rate_condition {_name}"] = (euler(r.euler_rate_condition, _name), (angles(),))
    CASES[f"euler_closest_to {_name}"] = (euler(r.euler_closest_to, _name), (angles(), 5.0 * rotvecs()))
    CASES[f"euler_unwrap {_name}"] = (euler(r.euler_unwrap, _name), (sequences(angles()),))
for _name in ("Z", "zx", "XY"):
    _few = angles()[:, : len(_name)]
    CASES[f"euler_to_matrix {_name}"] = (euler(r.euler_to_matrix, _name), (_few,))
    CASES[f"matrix_to_euler {_name}"] = (euler(r.matrix_to_euler, _name), (r.euler_to_matrix(_few, _name),))
CASES["euler_to_matrix degrees"] = (lambda a: r.euler_to_matrix(a, "ZYX", degrees=True), (57.0 * angles(),))
CASES["matrix_to_euler degrees"] = (lambda m: r.matrix_to_euler(m, "ZYX", degrees=True), (matrices(),))
