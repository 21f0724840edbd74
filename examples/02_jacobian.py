"""The Jacobian of an arm by backward seeds: one backward pass for each row.

The Jacobian says how fast the tip moves when the joints do. ``y.backward(gradient=v)`` gives the product of v and the
Jacobian, so a seed v with a single 1 picks out one row. That works for any function; robots know a closed form as well.
"""

import torch

import diffkin as dk

robot = dk.load_robot("kuka_iiwa")
q = robot.sample(1, seed=0)[0]


def position(q: torch.Tensor) -> torch.Tensor:
    """Where the tip is: (7,) joint angles -> (3,) metres."""
    return robot.forward_kinematics(q)[:3, 3]


# By hand: seed (1, 0, 0) gives the row of x, (0, 1, 0) that of y, (0, 0, 1) that of z.
x = q.clone().requires_grad_()
y = position(x)
rows: list[torch.Tensor] = []
for seed in torch.eye(3, dtype=torch.float64):
    x.grad = None  # backward adds to what is there
    y.backward(gradient=seed, retain_graph=True)  # the graph is needed for the next row
    assert x.grad is not None
    rows.append(x.grad.clone())
by_hand = torch.stack(rows)  # (3, 7)

# The same by one call, for any function; and for robots in closed form: rows of the position, then of the rotation.
by_seeds = dk.autograd.jacobian(position, q, method="backward_seeds")
closed = robot.jacobian(q)  # (6, 7)
print("by hand and by one call:", float((by_hand - by_seeds).abs().max()))
print("by hand and closed form:", float((by_hand - closed[:3]).abs().max()))

# What a Jacobian is good for: where does the tip go when joint 4 turns by a thousandth of a radian?
dq = torch.zeros(7, dtype=torch.float64)
dq[3] = 1e-3
print("predicted step [mm]:", (1e3 * closed[:3] @ dq).round(decimals=3).tolist())
print("true step      [mm]:", (1e3 * (position(q + dq) - position(q))).round(decimals=3).tolist())
