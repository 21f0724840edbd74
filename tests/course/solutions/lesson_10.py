"""Right answers of lesson 10."""

import math

import torch

torch.set_default_dtype(torch.float64)


def affine_log_density(x, a, log_b):
    z = (x - a) / log_b.exp()
    return -(z**2) / 2 - math.log(2 * math.pi) / 2 - log_b


def to_normal(q, lower, upper):
    unit = (q - (lower + upper) / 2) / ((upper - lower) / 2)
    return math.sqrt(2) * torch.erfinv(unit)


def log_det(f, z):
    z = z.clone().requires_grad_()
    y = f(z)
    rows = [torch.autograd.grad(y, z, seed, retain_graph=True)[0] for seed in torch.eye(len(z))]
    return torch.linalg.det(torch.stack(rows)).abs().log()


def best_of(samples, targets, lengths):
    angles = samples.cumsum(-1)
    tips = torch.stack(((lengths * angles.cos()).sum(-1), (lengths * angles.sin()).sum(-1)), dim=-1)
    best = (tips - targets[:, None]).norm(dim=-1).argmin(dim=1)
    return samples[torch.arange(len(samples)), best]
