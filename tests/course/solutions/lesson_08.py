"""Right answers of lesson 8."""

import torch

torch.set_default_dtype(torch.float64)


def loss_through_fk(q, targets, lengths):
    angles = q.cumsum(1)
    tips = torch.stack(((lengths * angles.cos()).sum(1), (lengths * angles.sin()).sum(1)), dim=1)
    return (tips - targets).norm(dim=1).mean()


def within_limits(raw, lower, upper):
    return (lower + upper) / 2 + (upper - lower) / 2 * torch.tanh(raw)


def both_elbows(p, lengths):
    l_1, l_2 = lengths
    bend = torch.acos((p @ p - l_1**2 - l_2**2) / (2 * l_1 * l_2))
    rows = []
    for q_2 in (bend, -bend):
        q_1 = torch.atan2(p[1], p[0]) - torch.atan2(l_2 * q_2.sin(), l_1 + l_2 * q_2.cos())
        rows.append(torch.stack((q_1, q_2)))
    return torch.stack(rows)


def tip_of_the_mean(p, lengths):
    return lengths.sum() * p / p.norm()


def gradient_at_the_answer(J, tip, target):
    return J.T @ (tip - target) / (tip - target).norm()
