"""Right answers of lesson 3."""

import torch

torch.set_default_dtype(torch.float64)


def hat(r):
    zero = torch.zeros_like(r[0])
    rows = ((zero, -r[2], r[1]), (r[2], zero, -r[0]), (-r[1], r[0], zero))
    return torch.stack([torch.stack(row) for row in rows])


def rotvec_to_matrix(r):
    K, square = hat(r), r @ r
    small = square < 1e-8
    angle = torch.where(small, torch.ones_like(square), square).sqrt()
    a = torch.where(small, 1 - square / 6, angle.sin() / angle)
    b = torch.where(small, 0.5 - square / 24, (1 - angle.cos()) / angle**2)
    return torch.eye(3) + a * K + b * K @ K


def quat_xyzw_to_matrix(q):
    K = hat(q[:3])
    return torch.eye(3) + 2 * q[3] * K + 2 * K @ K


def angle_between(p, q):
    return 2 * torch.acos((p @ q).abs().clamp(max=1.0))


def about(axis, angle):
    return rotvec_to_matrix(angle * torch.eye(3)[axis])


def euler_zyx_to_matrix(angles):
    yaw, pitch, roll = angles
    return about(2, yaw) @ about(1, pitch) @ about(0, roll)


def angular_velocity(R0, R1, dt):
    R = R1 @ R0.T
    axis = torch.stack((R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1])) / 2  # times the sine
    angle = torch.atan2(axis.norm(), (R.trace() - 1) / 2)
    return axis / axis.norm() * angle / dt
