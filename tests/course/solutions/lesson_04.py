"""Right answers of lesson 4."""

import torch

torch.set_default_dtype(torch.float64)


def hat(r):
    zero = torch.zeros_like(r[0])
    rows = ((zero, -r[2], r[1]), (r[2], zero, -r[0]), (-r[1], r[0], zero))
    return torch.stack([torch.stack(row) for row in rows])


def about(axis, angle):
    K = hat(axis)
    return torch.eye(3) + angle.sin() * K + (1 - angle.cos()) * K @ K


def pose(R, p):
    return torch.cat((torch.cat((R, p[:, None]), dim=1), torch.tensor([[0.0, 0.0, 0.0, 1.0]])))


def turn(axis, angle):
    return pose(about(axis, angle), torch.zeros(3))


def joint_pose(xyz, rpy, axis, angle):
    x, y, z = torch.eye(3)
    return pose(about(z, rpy[2]) @ about(y, rpy[1]) @ about(x, rpy[0]), xyz) @ turn(axis, angle)


def joint_frames(origins, q):
    T, frames = torch.eye(4), []
    for origin, angle in zip(origins, q):
        T = T @ origin @ turn(torch.eye(3)[2], angle)
        frames.append(T)
    return frames


def forward_kinematics(origins, q):
    return joint_frames(origins, q)[-1] @ origins[-1]


def geometric_jacobian(origins, q):
    frames = joint_frames(origins, q)
    p = (frames[-1] @ origins[-1])[:3, 3]
    columns = [torch.cat((torch.linalg.cross(T[:3, 2], p - T[:3, 3]), T[:3, 2])) for T in frames]
    return torch.stack(columns, dim=1)


def invert_pose(T):
    R, p = T[:3, :3], T[:3, 3]
    return pose(R.T, -R.T @ p)


def jacobian_of_point(J, T, point):
    return torch.cat((J[:3] - hat(T[:3, :3] @ point) @ J[3:], J[3:]))
