"""Right answers of lesson 5."""

import torch

torch.set_default_dtype(torch.float64)


def jacobian(f, q):
    q = q.detach().clone().requires_grad_()
    y = f(q)
    return torch.stack([torch.autograd.grad(y, q, seed, retain_graph=True)[0] for seed in torch.eye(len(y))])


def pose_error(T, T_target):
    R = T_target[:3, :3] @ T[:3, :3].T
    axis = torch.stack((R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1])) / 2  # times the sine
    sine = axis.norm()
    factor = torch.atan2(sine, (R.trace() - 1) / 2) / sine if sine > 1e-12 else 1.0
    return torch.cat((T_target[:3, 3] - T[:3, 3], factor * axis))


def gradient(f, q):
    return jacobian(f, q).T @ f(q)


def gradient_descent(f, q, rate, steps):
    for _ in range(steps):
        q = q - rate * gradient(f, q)
    return q


def adam(f, q, rate, steps):
    m, v = torch.zeros_like(q), torch.zeros_like(q)
    for k in range(1, steps + 1):
        g = gradient(f, q)
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g * g
        q = q - rate * (m / (1 - 0.9**k)) / ((v / (1 - 0.999**k)).sqrt() + 1e-8)
    return q


def gauss_newton(f, q, steps):
    for _ in range(steps):
        q = q - torch.linalg.lstsq(jacobian(f, q), f(q), driver="gelsd").solution
    return q


def levenberg_marquardt(f, q, steps):
    damping = 0.1
    for _ in range(steps):
        J, r = jacobian(f, q), f(q)
        if r.norm() < 1e-11:
            break
        tried = q - J.T @ torch.linalg.solve(J @ J.T + damping * torch.eye(len(r)), r)
        if f(tried).norm() < r.norm():
            q, damping = tried, damping / 10
        else:
            damping = damping * 5
    return q
