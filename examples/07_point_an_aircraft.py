"""Point an aircraft's camera at things on the ground.

An aircraft is a robot whose base flies. Its attitude and the angles of its camera gimbal are found together, within limits of
bank and pitch. Axes: NED, north, east, down; the body's are forward, right, down.
"""

import torch

from diffkin import aircraft, rotations

airframe = aircraft.load_airframe("fixed_wing")
position = torch.tensor([0.0, 0.0, -120.0], dtype=torch.float64)  # 120 m above the ground: down is negative
ground = torch.tensor([[300.0, 50.0, 0.0], [0.0, 0.0, 0.0], [-200.0, -200.0, 0.0]], dtype=torch.float64)

found = aircraft.point(
    airframe,
    aircraft.RayTarget("boresight", point=ground),  # the camera's axis
    position=position,
    max_bank=0.6,  # [rad]
    max_pitch=0.4,
)
angles = torch.rad2deg(rotations.matrix_to_euler(found.R_ned_body, "ZYX"))
for where, (yaw, pitch, roll) in zip(ground.tolist(), (angles.round(decimals=1) + 0.0).tolist()):
    print(f"{where}: yaw {yaw:.1f}, pitch {pitch:.1f}, roll {roll:.1f} deg")

# Measured from the answer: where the ray begins, which way it points, and by what angle it misses.
origins, axes = airframe.rays_ned(found.R_ned_body, position, found.q, ["boresight"])
wanted = ground - origins[:, 0]
miss = torch.linalg.cross(axes[:, 0], wanted / wanted.norm(dim=-1, keepdim=True)).norm(dim=-1)
print("solved", int(found.success.sum()), "of 3, missed by at most", f"{float(miss.max()):.1e} rad")

# Then the aircraft has to turn there: a controller gives the torque, and the dynamics are integrated.
inertia = airframe.mass_properties().inertia
goal = found.R_ned_body[:1]
limit = torch.tensor([16.0, 12.0, 12.0], dtype=torch.float64)  # [N m]
moments = inertia.diagonal()


def control(k: int, R: torch.Tensor, omega: torch.Tensor) -> torch.Tensor:
    """Torque in body axes [N m]."""
    law = aircraft.geometric_pd(R, omega, goal, inertia, k_attitude=36 * moments, k_rate=9 * moments)
    return aircraft.saturate(law, limit)


level, still = torch.eye(3, dtype=torch.float64)[None], torch.zeros(1, 3, dtype=torch.float64)
R, omega = aircraft.simulate_attitude(level, still, inertia, control, dt=0.01, steps=400)
error = torch.rad2deg(rotations.angle_between(R[0], goal))
print("angle to the goal after 0, 1, 2, 4 s:", [round(float(error[k]), 2) for k in (0, 100, 200, 400)], "deg")
