"""Rotations: every chart of SO(3), the ways between them, their rates, distances and means.

Flat functions of tensors with any leading axes, differentiable to second order wherever the chart is smooth.
"""

from diffkin.rotations.distance import angle_between
from diffkin.rotations.euler import EULER_SEQUENCES, euler_to_matrix, matrix_to_euler
from diffkin.rotations.exponential import (
    matrix_to_rotvec,
    quat_xyzw_to_rotvec,
    rotvec_to_matrix,
    rotvec_to_quat_xyzw,
)
from diffkin.rotations.interpolation import slerp, squad
from diffkin.rotations.jacobians import (
    left_jacobian,
    left_jacobian_inverse,
    right_jacobian,
    right_jacobian_inverse,
)
from diffkin.rotations.nearest import nearest_rotation
from diffkin.rotations.quaternion import (
    matrix_to_quat_xyzw,
    quat_xyzw_conjugate,
    quat_xyzw_inverse,
    quat_xyzw_multiply,
    quat_xyzw_normalize,
    quat_xyzw_rotate,
    quat_xyzw_to_matrix,
)
from diffkin.rotations.rates import body_rate_matrix, euler_rate_condition, euler_rate_matrix
from diffkin.rotations.sampling import random_rotation
from diffkin.rotations.skew import adjoint, hat, vee

__all__ = [
    "EULER_SEQUENCES",
    "adjoint",
    "angle_between",
    "body_rate_matrix",
    "euler_rate_condition",
    "euler_rate_matrix",
    "euler_to_matrix",
    "hat",
    "left_jacobian",
    "left_jacobian_inverse",
    "matrix_to_euler",
    "matrix_to_quat_xyzw",
    "matrix_to_rotvec",
    "nearest_rotation",
    "quat_xyzw_conjugate",
    "quat_xyzw_inverse",
    "quat_xyzw_multiply",
    "quat_xyzw_normalize",
    "quat_xyzw_rotate",
    "quat_xyzw_to_matrix",
    "quat_xyzw_to_rotvec",
    "random_rotation",
    "right_jacobian",
    "right_jacobian_inverse",
    "rotvec_to_matrix",
    "rotvec_to_quat_xyzw",
    "slerp",
    "squad",
    "vee",
]
