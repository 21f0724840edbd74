"""Rotations: every chart of SO(3), the ways between them, their rates, distances and means.

Flat functions of tensors with any leading axes, differentiable to second order wherever the chart is smooth.
"""

from diffkin.rotations.continuity import (
    euler_closest_to,
    euler_unwrap,
    quat_xyzw_closest_to,
    quat_xyzw_unwrap,
    rotvec_closest_to,
    rotvec_unwrap,
)
from diffkin.rotations.distance import angle_between
from diffkin.rotations.euler import EULER_SEQUENCES, euler_to_matrix, matrix_to_euler
from diffkin.rotations.euler_rates import body_rate_matrix, euler_rate_condition, euler_rate_matrix
from diffkin.rotations.exponential import matrix_to_rotvec, quat_xyzw_to_rotvec, rotvec_to_matrix, rotvec_to_quat_xyzw
from diffkin.rotations.interpolation import slerp, squad
from diffkin.rotations.jacobians import left_jacobian, left_jacobian_inverse, right_jacobian, right_jacobian_inverse
from diffkin.rotations.mean import mean_rotation
from diffkin.rotations.nearest import nearest_rotation
from diffkin.rotations.quaternion import (
    matrix_to_quat_wxyz,
    matrix_to_quat_xyzw,
    quat_wxyz_to_matrix,
    quat_wxyz_to_xyzw,
    quat_xyzw_conjugate,
    quat_xyzw_inverse,
    quat_xyzw_multiply,
    quat_xyzw_normalize,
    quat_xyzw_rotate,
    quat_xyzw_to_matrix,
    quat_xyzw_to_wxyz,
)
from diffkin.rotations.rates import (
    gibbs_body_rate_matrix,
    gibbs_rate_matrix,
    mrp_body_rate_matrix,
    mrp_rate_matrix,
    quat_xyzw_body_rate_matrix,
    quat_xyzw_rate_matrix,
)
from diffkin.rotations.rodrigues import gibbs_to_matrix, matrix_to_gibbs, matrix_to_mrp, mrp_shadow, mrp_to_matrix
from diffkin.rotations.sampling import random_quat_xyzw, random_rotation
from diffkin.rotations.sixd import matrix_to_rot6d, rot6d_to_matrix
from diffkin.rotations.skew import adjoint, hat, vee

__all__ = [
    "EULER_SEQUENCES",
    "adjoint",
    "angle_between",
    "body_rate_matrix",
    "euler_closest_to",
    "euler_rate_condition",
    "euler_rate_matrix",
    "euler_to_matrix",
    "euler_unwrap",
    "gibbs_body_rate_matrix",
    "gibbs_rate_matrix",
    "gibbs_to_matrix",
    "hat",
    "left_jacobian",
    "left_jacobian_inverse",
    "matrix_to_euler",
    "matrix_to_gibbs",
    "matrix_to_mrp",
    "matrix_to_quat_wxyz",
    "matrix_to_quat_xyzw",
    "matrix_to_rot6d",
    "matrix_to_rotvec",
    "mean_rotation",
    "mrp_body_rate_matrix",
    "mrp_rate_matrix",
    "mrp_shadow",
    "mrp_to_matrix",
    "nearest_rotation",
    "quat_wxyz_to_matrix",
    "quat_wxyz_to_xyzw",
    "quat_xyzw_body_rate_matrix",
    "quat_xyzw_closest_to",
    "quat_xyzw_conjugate",
    "quat_xyzw_inverse",
    "quat_xyzw_multiply",
    "quat_xyzw_normalize",
    "quat_xyzw_rate_matrix",
    "quat_xyzw_rotate",
    "quat_xyzw_to_matrix",
    "quat_xyzw_to_rotvec",
    "quat_xyzw_to_wxyz",
    "quat_xyzw_unwrap",
    "random_quat_xyzw",
    "random_rotation",
    "right_jacobian",
    "right_jacobian_inverse",
    "rot6d_to_matrix",
    "rotvec_closest_to",
    "rotvec_to_matrix",
    "rotvec_to_quat_xyzw",
    "rotvec_unwrap",
    "slerp",
    "squad",
    "vee",
]
