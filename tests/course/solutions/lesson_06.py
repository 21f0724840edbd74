"""Right answers of lesson 6."""

import torch

torch.set_default_dtype(torch.float64)


def null_space_projector(J):
    _, values, Vh = torch.linalg.svd(J)
    rank = int((values > 1e-10 * values[0]).sum())
    return Vh[rank:].T @ Vh[rank:]


def redundant_step(J, e, z):
    return z + torch.linalg.pinv(J) @ (e - J @ z)


def manipulability_gradient(J, H):
    w = torch.linalg.det(J @ J.T).sqrt()
    inverse = torch.linalg.pinv(J)
    return torch.stack([w * (inverse @ H[:, :, k]).trace() for k in range(J.shape[1])])


def allowed_fraction(q, dq, lower, upper):
    s = torch.tensor(1.0)
    for a, step, low, high in zip(q, dq, lower, upper):
        if step > 0:
            s = torch.minimum(s, (high - a) / step)
        elif step < 0:
            s = torch.minimum(s, (low - a) / step)
    return s


def both_solutions(x, y, phi, lengths):
    a, b, c = lengths
    x, y = x - c * phi.cos(), y - c * phi.sin()
    cosine = (x * x + y * y - a * a - b * b) / (2 * a * b)
    sine = (1 - cosine * cosine).clamp(min=0).sqrt()
    rows = []
    for s in (sine, -sine):
        q2 = torch.atan2(s, cosine)
        q1 = torch.atan2(y, x) - torch.atan2(b * s, a + b * cosine)
        rows.append(torch.stack((q1, q2, phi - q1 - q2)))
    return torch.stack(rows)


def nearest_solution(solutions, q0, lower, upper):
    best, least = None, torch.inf
    for row in solutions:
        low, high = ((lower - row) / (2 * torch.pi)).ceil(), ((upper - row) / (2 * torch.pi)).floor()
        if (low > high).any():
            continue
        wanted = ((q0 - row) / (2 * torch.pi)).round()
        turned = row + 2 * torch.pi * torch.minimum(torch.maximum(wanted, low), high)
        if (turned - q0).norm() < least:
            best, least = turned, (turned - q0).norm()
    return best
