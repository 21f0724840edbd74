"""Right answers of lesson 7."""

import torch

torch.set_default_dtype(torch.float64)


def hat(p):
    zero = torch.zeros_like(p[0])
    return torch.stack([torch.stack(row) for row in ((zero, -p[2], p[1]), (p[2], zero, -p[0]), (-p[1], p[0], zero))])


def euler_rates(angles, omega):
    _, pitch, roll = angles
    forward, right, down = omega
    about_vertical = (roll.sin() * right + roll.cos() * down) / pitch.cos()
    return torch.stack((about_vertical, roll.cos() * right - roll.sin() * down, forward + pitch.sin() * about_vertical))


def point_jacobian(R, p):
    return R @ hat(p).T


def aim_nose(position, target):
    north, east, down = target - position
    return torch.stack((torch.atan2(east, north), torch.atan2(-down, torch.hypot(north, east))))


def axes(first, second):
    along = first / first.norm()
    across = torch.linalg.cross(first, second)
    across = across / across.norm()
    return torch.stack((along, across, torch.linalg.cross(along, across)), -1)


def triad(first_body, second_body, first_ned, second_ned):
    return axes(first_ned, second_ned) @ axes(first_body, second_body).T


def angular_acceleration(omega, inertia, torque):
    return torch.linalg.inv(inertia) @ (torque - torch.linalg.cross(omega, inertia @ omega))
