# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Backward seeds: from `y.backward(v)` to the Jacobian of a robot arm
#
# A backward pass with the seed $v$ gives $v^T J$. That one sentence carries this notebook: unit seeds give the rows
# of a Jacobian, the Jacobian of an arm's forward kinematics is the arm's Jacobian, and with it the arm reaches a
# target. Each formula has a cell of its own. Run a cell, change a number, run it again.

# %%
import math

import torch

import diffkin as dk

torch.set_default_dtype(torch.float64)

# %% [markdown]
# ## 1. One seed
#
# $n = (m_0^2,\; m_1^3)$ at $m = (2, 3)$. An output with two entries has no single gradient, so `backward` wants a
# seed: how much each entry of $n$ counts. The seed $(1, 1)$ counts both once:
#
# $$\bar m_j = \sum_i v_i \frac{\partial n_i}{\partial m_j}, \qquad v = (1, 1).$$

# %%
m = torch.tensor([2.0, 3.0], requires_grad=True)
n = torch.stack((m[0] ** 2, m[1] ** 3))
n.backward(torch.ones_like(n))
m.grad  # (2 * 2, 3 * 3^2) = (4, 27)

# %%
assert m.grad.tolist() == [4.0, 27.0]

# %% [markdown]
# ### Without a seed
#
# The most usual error of all. PyTorch makes up the seed only where there is nothing to choose: for a single number.

# %%
m = torch.tensor([2.0, 3.0], requires_grad=True)
n = torch.stack((m[0] ** 2, m[1] ** 3))
try:
    n.backward()
except RuntimeError as error:
    message = str(error)
print(message)

# %%
assert "scalar outputs" in message

# %% [markdown]
# ## 2. Twice through one graph
#
# $y = 2x + x^2 + 3$ at $x = 3$, so $dy/dx = 2 + 2x = 8$. With `retain_graph=True` the graph lives on after a pass.
# The second pass **adds** its 8 to what is in `x.grad` already:

# %%
x = torch.tensor(3.0, requires_grad=True)
y = 2 * x + x**2 + 3
y.backward(retain_graph=True)
first = x.grad.item()
y.backward()
second = x.grad.item()
first, second  # 8, then 16

# %%
assert (first, second) == (8.0, 16.0)

# %% [markdown]
# ### Through a graph that is gone
#
# That last `backward` did not retain the graph: what it had stored for $x^2$ is freed. A third pass fails.

# %%
try:
    y.backward()
except RuntimeError as error:
    message = str(error)
print(message)

# %%
assert "a second time" in message

# %% [markdown]
# ## 3. Two seeds make a 2 x 2 Jacobian
#
# $k = (x_0^2 + 3 x_1,\; 2 x_0 + x_1^2)$ at $x = (2, 3)$. The Jacobian $J_{ij} = \partial k_i / \partial x_j$ is
#
# $$J = \begin{pmatrix} 2 x_0 & 3 \\ 2 & 2 x_1 \end{pmatrix}.$$
#
# The unit seed $e_i$ picks out row $i$, because $e_i^T J$ *is* row $i$. Two things must not be forgotten: keep the
# graph for the next seed, and empty `x.grad` between two rows.

# %%
x = torch.tensor([2.0, 3.0], requires_grad=True)
k = torch.stack((x[0] ** 2 + 3 * x[1], 2 * x[0] + x[1] ** 2))

k.backward(torch.tensor([1.0, 0.0]), retain_graph=True)
row_0 = x.grad.clone()
x.grad.zero_()
k.backward(torch.tensor([0.0, 1.0]))
row_1 = x.grad.clone()

J = torch.stack((row_0, row_1))
J

# %%
assert J.tolist() == [[4.0, 3.0], [2.0, 6.0]]

# %% [markdown]
# `dk.autograd.jacobian` is that loop, for any function and any shape. It asks for gradients with
# `torch.autograd.grad`, which returns them instead of adding them up, so there is nothing to empty.


# %%
def f(x):
    return torch.stack((x[0] ** 2 + 3 * x[1], 2 * x[0] + x[1] ** 2))


dk.autograd.jacobian(f, torch.tensor([2.0, 3.0]))

# %% [markdown]
# All rows at once (`"reverse"`, vectorised) and all columns at once (`"forward"`) give the same matrix. With $m$
# outputs and $n$ inputs, reverse mode costs about $m$ passes and forward mode about $n$.

# %%
for method in dk.autograd.METHODS:
    assert dk.autograd.jacobian(f, torch.tensor([2.0, 3.0]), method=method).tolist() == [[4.0, 3.0], [2.0, 6.0]]

# %% [markdown]
# ## 4. An arm with two joints
#
# `planar_2r` turns about two parallel axes; its links are 0.5 m and 0.4 m long. Its tip is at
#
# $$p = \begin{pmatrix} l_1 \cos q_1 + l_2 \cos(q_1 + q_2) \\ l_1 \sin q_1 + l_2 \sin(q_1 + q_2) \end{pmatrix}.$$

# %%
planar = dk.load_robot("planar_2r")
l_1, l_2 = 0.5, 0.4
q = torch.tensor([0.4, 0.9])

by_hand = torch.stack(
    (l_1 * q[0].cos() + l_2 * (q[0] + q[1]).cos(), l_1 * q[0].sin() + l_2 * (q[0] + q[1]).sin()),
)
tip = planar.forward_kinematics(q)[:2, 3]
by_hand, tip

# %%
assert torch.allclose(by_hand, tip, atol=1e-12, rtol=0)

# %% [markdown]
# Its Jacobian, differentiated with pencil and paper:
#
# $$J = \begin{pmatrix} -l_1 \sin q_1 - l_2 \sin(q_1 + q_2) & -l_2 \sin(q_1 + q_2) \\
# l_1 \cos q_1 + l_2 \cos(q_1 + q_2) & l_2 \cos(q_1 + q_2) \end{pmatrix}$$

# %%
s_1, c_1 = q[0].sin(), q[0].cos()
s_12, c_12 = (q[0] + q[1]).sin(), (q[0] + q[1]).cos()
closed_form = torch.stack(
    (
        torch.stack((-l_1 * s_1 - l_2 * s_12, -l_2 * s_12)),
        torch.stack((l_1 * c_1 + l_2 * c_12, l_2 * c_12)),
    )
)
closed_form

# %% [markdown]
# And by seeds. Nothing about arms is needed here, only forward kinematics that PyTorch can walk back through:


# %%
def tip_position(q):
    return planar.forward_kinematics(q)[:2, 3]


by_seeds = dk.autograd.jacobian(tip_position, q)
(by_seeds - closed_form).abs().max()

# %%
assert torch.allclose(by_seeds, closed_form, atol=1e-12, rtol=0)

# %% [markdown]
# ## 5. The KUKA iiwa: 6 x 7
#
# A hand in space has a velocity $v$ and an angular velocity $\omega$: six rows. Seven joints: seven columns. The
# *geometric* Jacobian is written down column by column, with no differentiation. The axis $z_j$ of joint $j$ goes
# through $o_j$, and
#
# $$J_j = \begin{pmatrix} z_j \times (p - o_j) \\ z_j \end{pmatrix}.$$
#
# By seeds the first three rows are those of section 4. The other three come from the rotation: $\hat\omega = \dot R
# R^T$, so each entry of $R$ is differentiated and the result is turned back into a vector.

# %%
iiwa = dk.load_robot("kuka_iiwa")
q = iiwa.sample(1, seed=0)[0]
geometric = iiwa.jacobian(q)
geometric.shape

# %%
rows_of_p = dk.autograd.jacobian(lambda q: iiwa.forward_kinematics(q)[:3, 3], q)
R = iiwa.forward_kinematics(q)[:3, :3]
dR = dk.autograd.jacobian(lambda q: iiwa.forward_kinematics(q)[:3, :3], q)  # (3, 3, 7)
omega_hat = torch.einsum("ikj,lk->ilj", dR, R)  # dR/dq_j R^T, skew
rows_of_R = torch.stack((omega_hat[2, 1], omega_hat[0, 2], omega_hat[1, 0]))

by_seeds = torch.cat((rows_of_p, rows_of_R))
(by_seeds - geometric).abs().max()

# %%
assert torch.allclose(by_seeds, geometric, atol=1e-12, rtol=0)

# %% [markdown]
# The robot knows this route by name, for any link, point and frame:

# %%
(iiwa.jacobian(q, method="backward_seeds") - geometric).abs().max()

# %% [markdown]
# ## 6. Inverse kinematics: walk down the gradient
#
# Where must the joints stand so that the tip is at $p_t$? Take the error $e(q) = \tfrac12 |p(q) - p_t|^2$. Its
# gradient is one backward pass with the seed $p - p_t$:
#
# $$\nabla e = J^T (p - p_t), \qquad q \leftarrow q - \eta\, \nabla e.$$

# %%
target = torch.tensor([0.3, 0.6])
q = torch.tensor([0.2, 0.5])
eta = 2.0
errors = []
for _ in range(120):
    q = q.detach().requires_grad_()
    away = tip_position(q) - target
    errors.append(float(away.detach().norm()))
    (gradient,) = torch.autograd.grad(away, q, grad_outputs=away.detach())
    q = q - eta * gradient
errors[0], errors[10], errors[-1]

# %% [markdown]
# Plain gradient descent gets there, and slowly: the error shrinks by about the same factor in each step. Newton's
# method on the same Jacobian, damped where the arm is nearly singular (Levenberg-Marquardt), takes a handful of
# steps. It is the default of `dk.solve_ik`, which takes whole poses, keeps to the joints' limits and says honestly
# whether it succeeded:

# %%
reached = planar.sample(1, seed=4)[0]
T_target = planar.forward_kinematics(reached)
result = dk.solve_ik(planar, T_target)
bool(result.success), int(result.iterations), float(result.position_error)

# %%
T_target = iiwa.forward_kinematics(iiwa.sample(100, seed=1))
result = dk.solve_ik(iiwa, T_target)
result

# %%
assert errors[-1] < 1e-6
assert bool(result.success.all())
assert bool(((result.q >= iiwa.lower) & (result.q <= iiwa.upper)).all())

# %% [markdown]
# ## Exercises
#
# 1. In section 3, leave out `x.grad.zero_()`. Which matrix comes out, and why that one?
# 2. Which seed gives the *sum* of both rows of $J$? Which gives $2 \cdot \text{row}_0 - \text{row}_1$? One pass each.
# 3. Write `my_jacobian(f, x)` with `torch.autograd.grad` and a loop over seeds, without `dk`. Check it against
#    `dk.autograd.jacobian` on a function with a $2 \times 2$ output.
# 4. Stretch the planar arm out: $q_2 = 0$. What is $\det J$, and in which direction can the tip not move?
# 5. In section 6, replace the gradient step by $q \leftarrow q - J^{-1} (p - p_t)$. How many steps now? Start from
#    the stretched-out arm: what happens? Then add damping: $q \leftarrow q - J^T (J J^T + \lambda I)^{-1} (p - p_t)$.
# 6. A target 3 m away cannot be reached. What does your loop do, and what does `dk.solve_ik` say?

# %%
q = torch.tensor([0.7, 0.0])
torch.linalg.det(dk.autograd.jacobian(tip_position, q)), math.sin(0.0) * l_1 * l_2  # a beginning for exercise 4
