# %% [markdown] lang="en"
# # Lesson 7. Aircraft attitude
#
# An arm stands on the ground; an aircraft does not. Its base itself turns and moves, and everything it carries, wing tips, a
# camera, sensors, turns along. In this lesson you read its gyroscope, find how a wing tip moves, aim a camera, find the attitude from
# what sensors see, and let a body tumble beside PyBullet.
#
# At the end you will have made this picture: an aircraft that circles over a place and keeps its camera on it.
#
# ![An aircraft circles and keeps its camera on one place](../images/07_aircraft_attitude.png)

# %% [markdown] lang="zh"
# # 第 7 课　飞行器的姿态
#
# 机械臂立在地上，飞行器却不是：它的基座本身就在转、在动，机上的一切，翼尖、相机、传感器，都跟着一起转。这一课要读懂陀螺仪，
# 求翼尖怎样运动，让相机对准目标，由传感器的读数求姿态，最后让一个物体翻滚起来，和 PyBullet 对照。
#
# 学完以后，你会画出下面这张图：飞机绕着一个地点盘旋，相机始终对准它。
#
# ![飞机盘旋时相机始终对准同一地点](../images/07_aircraft_attitude.png)

# %%
import math

import matplotlib.pyplot as plt
import torch

import diffkin as dk
from diffkin import aircraft, autograd, rotations, simulation

torch.set_default_dtype(torch.float64)

# %% [markdown] lang="en"
# ## 1. Two sets of axes
#
# Positions on the map are given as north, east and down, the *NED axes*. Down is the third, so a height of 120 m is $-120$. The
# aircraft has its own, the *body axes*: forward, right, down. The attitude $R$ holds the body axes as columns, so a point that is at
# $p$ in body axes is, seen from the middle of the aircraft, at $R\,p$ in NED axes.

# %% [markdown] lang="zh"
# ## 1. 两套坐标轴
#
# 地图上的位置用北、东、地三个方向表示，这就是*北东地坐标轴*。第三个方向朝下，所以高度 120 m 写作 $-120$。飞机也有自己的
# *机体坐标轴*：前、右、下。姿态 $R$ 的三列就是机体的三根轴；因此机体坐标下位于 $p$ 的点，从飞机中心看去，在北东地坐标下就是 $R\,p$。

# %%
airframe = aircraft.load_airframe("fixed_wing")
p = airframe.points_body(names=["right_wingtip"])[0]
angles = torch.tensor([0.5, 0.1, 0.4])  # yaw, pitch, roll [rad]
R = rotations.euler_to_matrix(angles, "ZYX")
print("right wing tip in body axes:", p.numpy().round(3))
print("              and in NED axes:", (R @ p).numpy().round(3), "(down is positive: right wing low)")

# %% [markdown] lang="en"
# ## 2. What a gyroscope says
#
# A *gyroscope* measures the angular velocity $\omega$ about the body axes: about the nose, the right wing, and down. Its numbers are
# called roll rate, pitch rate and yaw rate, and that name is a trap. Let us fall into it on purpose.
#
# An aircraft flies a level turn, banked by 60 degrees, once round in 30 s. Pitch stays 0, roll stays 60 degrees, only yaw grows. We record
# the gyroscope, then take its numbers for the rates of the angles and add them up.

# %% [markdown] lang="zh"
# ## 2. 陀螺仪在说什么
#
# *陀螺仪*测的是绕机体各轴的角速度 $\omega$：绕机头方向、右翼方向和向下方向。这三个数习惯上叫滚转角速度、俯仰角速度、偏航角速度，
# 而名字本身就是陷阱。我们故意踩进去。
#
# 飞机倾斜 60 度做水平盘旋，30 s 转一圈。俯仰保持为 0，滚转保持 60 度，只有偏航在增大。记录陀螺仪的读数，然后把它们当成各个角的
# 变化率，直接累加。

# %%
bank, once_round = math.radians(60), 30.0
level_turn = torch.tensor([0.0, 0.0, bank])
gyro = rotations.body_rate_matrix(level_turn, "ZYX") @ torch.tensor([2 * math.pi / once_round, 0.0, 0.0])
print("gyroscope [rad/s]:", gyro.numpy().round(4))

dt, steps = 0.01, 1500  # half a turn
wrong, right, R_turn = level_turn.clone(), level_turn.clone(), rotations.euler_to_matrix(level_turn, "ZYX")
for _ in range(steps):
    wrong = wrong + dt * gyro.flip(0)  # yaw, pitch, roll <- rates about down, right, forward
    right = right + dt * rotations.euler_rate_matrix(right, "ZYX") @ gyro
    R_turn = R_turn @ rotations.rotvec_to_matrix(dt * gyro)
for name, end in (
    ("added up", wrong),
    ("by Euler rates", right),
    ("by rotations", rotations.matrix_to_euler(R_turn, "ZYX")),
):
    print(f"{name:15s} yaw, pitch, roll after half a turn:", torch.rad2deg(end).numpy().round(1) + 0.0, "deg")

# %% [markdown] lang="en"
# Added up, the nose ends up pointing at the sky, far beyond the vertical, while the aircraft has flown level all the time. Banked by 60 degrees,
# most of a turn is about the right wing. The rates of the angles, the *Euler rates*, are $M(\text{angles})\,\omega$ instead, and that $M$
# is where the pole of lesson 3 sits. Multiplying small rotations, $R \leftarrow R \exp(\hat\omega\,dt)$, needs no angles at all and has no pole.
#
# ## 3. How a wing tip moves, by seeds
#
# Which way does the wing tip go when yaw, pitch or roll change a little? That is a Jacobian of 3 outputs to 3 inputs: three backward
# passes, a unit seed each, as in lesson 1.

# %% [markdown] lang="zh"
# 直接累加的结果是机头指向天空，甚至翻过了竖直方向，而飞机一直在水平飞行。倾斜 60 度时，转弯的大部分是绕右翼轴的转动。
# 各个角的变化率叫*欧拉角速率*，它等于 $M(\text{angles})\,\omega$，第 3 课的极点就藏在这个 $M$ 里。改为连乘小旋转
# $R \leftarrow R \exp(\hat\omega\,dt)$，则完全不需要角，也没有极点。
#
# ## 3. 用种子求翼尖的运动
#
# 偏航、俯仰、滚转各变一点，翼尖往哪边走？这是 3 个输出对 3 个输入的雅可比矩阵：和第 1 课一样，反向传播三次，每次一个单位种子。

# %%
x = angles.clone().requires_grad_()
tip = rotations.euler_to_matrix(x, "ZYX") @ p
rows = []
for k in range(3):
    x.grad = None
    tip.backward(torch.eye(3)[k], retain_graph=True)
    rows.append(x.grad.clone())
J_angles = torch.stack(rows)
print(J_angles.numpy().round(4))

# %% [markdown] lang="en"
# And by hand? If the body turns by a small $t$ about its own axes, the tip moves by $R\,(t \times p) = -R\,\hat p\,t$. So the Jacobian to a
# turn of the body is $-R\,\hat p$: no angles in it, no pole. With $\omega = M^{-1}\,\text{rates}$ it must give the same as the seeds:

# %% [markdown] lang="zh"
# 手算呢？机体绕自身各轴转一个小量 $t$，翼尖的位移是 $R\,(t \times p) = -R\,\hat p\,t$。所以对机体转动的雅可比矩阵就是
# $-R\,\hat p$：里面没有角，也就没有极点。再由 $\omega = M^{-1}\,\text{rates}$，应当得到与种子相同的结果：

# %%
J_turn = -R @ rotations.hat(p)
J_by_hand = J_turn @ rotations.body_rate_matrix(angles, "ZYX")
library = aircraft.point_jacobian(airframe, "right_wingtip", R, method="backward_seeds")[:, :3]
by_autograd = autograd.jacobian(lambda a: rotations.euler_to_matrix(a, "ZYX") @ p, angles)
print(
    f"seeds against by hand {(J_angles - J_by_hand).abs().max():.0e}, by autograd {(J_angles - by_autograd).abs().max():.0e}"
)
print(f"turn of the body against diffkin {(J_turn - library).abs().max():.0e}")

with simulation.open_airframe(airframe) as flying:  # the same aircraft in PyBullet
    flying.reset(R)
    tip_in_bullet = flying.point("right_wingtip")
print(f"wing tip in PyBullet: off by {(tip_in_bullet - R @ p).norm():.0e} m")

# %% [markdown] lang="en"
# ## 4. Pointing
#
# The line of sight of the camera is called its *boresight*. Aiming it is inverse kinematics: the unknowns are the angles of the gimbal that
# carries the camera (and, if it may, the attitude of the whole aircraft). Here the aircraft circles at a bank of 25 degrees and keeps that attitude, so the
# gimbal has to do it alone. A ray aims with two freedoms; the third, the roll of the picture, is left free.

# %% [markdown] lang="zh"
# ## 4. 对准
#
# 相机所看的方向叫*视轴*。让它对准目标，也是逆运动学：未知数是装着相机的云台的各个角（如果允许，还有整架飞机的姿态）。这里飞机以 25 度
# 倾斜角盘旋，姿态不能动，全靠云台。对准一条射线只用两个自由度；第三个，即画面的滚转，任它自由。

# %% tags=["opening"]
place = torch.tensor([0.0, 0.0, 0.0])  # on the ground
round_it = torch.linspace(0, 2 * math.pi, 25)[:-1]
position = torch.stack((220 * round_it.cos(), 220 * round_it.sin(), torch.full_like(round_it, -140.0)), -1)
attitude = torch.stack((round_it + math.pi / 2, 0 * round_it, torch.full_like(round_it, math.radians(25))), -1)
R_circle = rotations.euler_to_matrix(attitude, "ZYX")
aim = aircraft.RayTarget("boresight", point=place)
found = aircraft.point(airframe, aim, position=position, R_ned_body=R_circle, free_attitude=False, roll="free")
origins, sight = (each[:, 0] for each in airframe.rays_ned(R_circle, position, found.q, ["boresight"]))

figure = plt.figure(figsize=(10, 4.2), layout="constrained")
axes = figure.add_subplot(1, 2, 1, projection="3d")
wing = torch.linspace(-28, 28, 2)[:, None]  # drawn 20 times as long
for k in range(24):
    ends = position[k] + wing * R_circle[k, :, 1]
    nose = torch.stack((position[k], position[k] + 30 * R_circle[k, :, 0]))
    hit = torch.stack((origins[k], origins[k] + sight[k] * (place - origins[k]).norm()))
    for line, style in ((ends, "C0-"), (nose, "C1-"), (hit, "C3:")):
        north, east, down = line.T.numpy()
        axes.plot(east, north, -down, style, lw=1 if style == "C3:" else 3)
axes.scatter(0, 0, 0, color="k")
axes.set(xlabel="east [m]", ylabel="north [m]", zlabel="height [m]", box_aspect=(1, 1, 0.45))
with simulation.open_airframe(airframe) as flying:
    view = simulation.picture(
        flying, R_circle[4], found.q[4], ray="boresight", size=(440, 360), yaw_deg=110, pitch_deg=-10
    )
axes = figure.add_subplot(1, 2, 2)
axes.imshow(view)
axes.set_axis_off()
axes.set_title("the same in PyBullet")
plt.show()
miss = torch.linalg.cross(sight, (place - origins) / (place - origins).norm(dim=1, keepdim=True)).norm(dim=1)
print(f"{int(found.success.sum())} of 24 solved, off by at most {math.degrees(miss.max()):.0e} deg")

# %% [markdown] lang="en"
# ## 5. Which way am I? Wahba's problem
#
# Sensors see directions: the sun, the magnetic field, the vertical. Each is known in NED axes from the almanac and measured in body axes. Which $R$ fits
# them, $v_\text{NED} = R\,v_\text{body}$? Two directions are enough. *TRIAD* builds right-angled axes from the two in both worlds and takes the rotation
# between them; it trusts the first direction fully. *Wahba's problem* asks for the $R$ with the least weighted sum of squares and takes any number
# of them. Three sensors, from good to poor (0.5, 1 and 5 degrees), 500 times:

# %% [markdown] lang="zh"
# ## 5. 我朝向哪里？瓦巴问题
#
# 传感器看到的是方向：太阳、地磁场、竖直方向。每个方向在北东地坐标下可以查表得到，在机体坐标下由传感器测得。哪个 $R$ 满足
# $v_\text{NED} = R\,v_\text{body}$？两个方向就够了。*双矢量定姿*在两套坐标下各用这两个方向搭一副互相垂直的轴，再取两者之间的旋转；
# 它完全相信第一个方向。*瓦巴问题*求的是加权平方和最小的 $R$，方向的个数不限。三个传感器由好到差（0.5、1、5 度），各测 500 次：

# %%
generator = torch.Generator().manual_seed(0)
sigma = torch.deg2rad(torch.tensor([0.5, 1.0, 5.0]))
v_ned = torch.nn.functional.normalize(torch.tensor([[0.8, -0.3, -0.5], [0.5, 0.1, 0.85], [0.0, 0.0, 1.0]]), dim=1)
truth = rotations.random_rotation(500, seed=1)
tilt = rotations.rotvec_to_matrix(sigma[:, None] * torch.randn(500, 3, 3, generator=generator))
v_body = (tilt @ (truth.mT @ v_ned.T).mT.unsqueeze(-1)).squeeze(-1)  # (500, 3 sensors, 3)

answers = {
    "TRIAD, the best two": aircraft.triad(v_body[:, 0], v_body[:, 1], v_ned[0], v_ned[1]),
    "TRIAD, the worst two": aircraft.triad(v_body[:, 2], v_body[:, 1], v_ned[2], v_ned[1]),
    "Wahba, equal weights": aircraft.solve_wahba(v_body, v_ned),
    "Wahba, 1 / sigma^2": aircraft.solve_wahba(v_body, v_ned, 1 / sigma**2),
}
errors = {name: rotations.angle_between(found_R, truth).square().mean().sqrt() for name, found_R in answers.items()}
for name, error in errors.items():
    print(f"{name:22s} {math.degrees(error):.2f} deg rms")

# %% [markdown] lang="en"
# One poor sensor with equal weight spoils the two good ones. Weighted by $1/\sigma^2$ it does no harm and helps a little. And because the answer is
# differentiable, the weights may be learned too.
#
# ## 6. How it goes on: integrators beside Bullet
#
# An attitude changes by $\dot R = R\,\hat\omega$ and the angular velocity by Euler's equation, $I\,\dot\omega = \tau - \omega \times I\,\omega$, with the
# *inertia matrix* $I$ and the torque $\tau$. The second part is the *gyroscopic torque*: even with no torque, $\omega$ is not constant. Throw a book up
# spinning about its middle axis and it tumbles. Nothing acts on it, so energy and angular momentum must stay. Do they?

# %% [markdown] lang="zh"
# 一个差的传感器，只要权重相同，就会毁掉两个好的。按 $1/\sigma^2$ 加权后，它不但无害，还略有帮助。而且结果是可微的，所以权重也可以学习。
#
# ## 6. 往后怎样运动：积分器与 Bullet 对照
#
# 姿态按 $\dot R = R\,\hat\omega$ 变化，角速度则服从欧拉方程 $I\,\dot\omega = \tau - \omega \times I\,\omega$，其中 $I$ 是*惯量矩阵*，$\tau$ 是力矩。
# 后一项叫*陀螺力矩*：即使没有外力矩，$\omega$ 也不是常数。把一本书绕中间那根轴抛转起来，它会翻跟头。既然没有外力矩，能量和角动量
# 都应当守恒。真的守恒吗？

# %%
inertia = torch.diag(torch.tensor([1.0, 2.0, 3.0]))
R0, omega0 = torch.eye(3)[None], torch.tensor([[0.02, 2.0, 0.01]])  # nearly about the middle axis
dt, steps = 1 / 240, 2400
bullet_R, bullet_omega = simulation.step_free_bodies(R0, omega0, inertia, None, dt=dt, steps=steps)
paths = {"Bullet itself": (bullet_R, bullet_omega)}
for integrator in ("bullet", "lie_midpoint", "rk4"):
    paths[integrator] = aircraft.simulate_attitude(R0, omega0, inertia, dt=dt, steps=steps, integrator=integrator)
fine, _ = aircraft.simulate_attitude(R0, omega0, inertia, dt=dt / 10, steps=10 * steps)

table = {}
for name, (path_R, path_omega) in paths.items():
    energy = aircraft.rotational_energy(path_omega, inertia)
    momentum = aircraft.angular_momentum(path_R, path_omega, inertia)
    drift = (momentum - momentum[:, :1]).norm(dim=-1).max() / momentum[0, 0].norm()
    off, apart = (math.degrees(rotations.angle_between(path_R, other).max()) for other in (fine[:, ::10], bullet_R))
    table[name] = ((energy / energy[:, :1] - 1).abs().max().item(), drift.item(), off, apart)
    print(
        "{:14s} energy {:.0e}, momentum {:.0e}, off the true path {:8.4f} deg, off Bullet {:8.4f} deg".format(
            name, *table[name]
        )
    )

figure, (left, middle) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
time = dt * torch.arange(steps + 1)
left.plot(time, paths["rk4"][1][0], label=("forward", "right", "down"))
left.set(xlabel="time [s]", ylabel="omega [rad/s]", title="no torque, and it tumbles")
left.legend()
for name, (path_R, _) in paths.items():
    off = torch.rad2deg(rotations.angle_between(path_R[0], fine[0, ::10])).clamp(min=1e-8)
    middle.semilogy(time[1:], off[1:], "--" if name == "bullet" else "-", label=name)
middle.set(xlabel="time [s]", ylabel="off the true path [deg]")
middle.legend(loc="upper left")
plt.show()

# %% [markdown] lang="en"
# Bullet makes energy out of nothing, one part in a hundred; its step is of order 1, made for games. Our integrator "bullet" copies that step and agrees with Bullet to
# rounding, so the two programs agree on physics, and what is left is the step. Train with what you will fly in; check with what is exact.

# %% [markdown] lang="zh"
# Bullet 凭空多出了百分之一的能量：它的积分只有一阶，本来是为游戏写的。我们的积分器 "bullet" 照抄这一步，与 Bullet 只差舍入误差。可见两个程序的物理
# 是一致的，差别只在积分方法。将来在哪里飞，训练时就用哪种；复核时用精确的那种。

# %% [markdown] lang="en"
# ## Summary
#
# - $R$ carries body axes to NED axes. A gyroscope gives $\omega$ in body axes, which is **not** the rate of yaw, pitch and roll.
# - A wing tip moves by $-R\,\hat p\,t$ for a small turn $t$ of the body. Seeds through Euler angles give the same, times $M^{-1}$.
# - Pointing is inverse kinematics with a ray. Attitude from directions is Wahba's problem: weigh by $1/\sigma^2$.
# - Energy and momentum judge an integrator. Bullet is of order 1, and we know exactly by how much it is off.
#
# ## Exercises
#
# **7.1** A gyroscope says $\omega$. How fast do yaw, pitch and roll change?

# %% [markdown] lang="zh"
# ## 小结
#
# - $R$ 把机体坐标变成北东地坐标。陀螺仪给出机体坐标下的 $\omega$，它**不是**偏航、俯仰、滚转的变化率。
# - 机体转过小量 $t$ 时，翼尖的位移是 $-R\,\hat p\,t$。用种子对欧拉角求导，得到的是它乘以 $M^{-1}$。
# - 对准就是针对射线的逆运动学。由方向求姿态是瓦巴问题：按 $1/\sigma^2$ 加权。
# - 能量和角动量是积分器的试金石。Bullet 只有一阶，而且我们清楚它差多少。
#
# ## 练习
#
# **7.1** 陀螺仪给出 $\omega$。偏航、俯仰、滚转变化得多快？


# %% tags=["exercise"]
def euler_rates(angles, omega):
    raise NotImplementedError


dk.course.check("7.1", euler_rates, seed=0, language="en")

# %% [markdown] lang="en"
# **7.2** Write down the Jacobian of a point of the aircraft to a small turn of the body.

# %% [markdown] lang="zh"
# **7.2** 写出机上一点对机体小转动的雅可比矩阵。


# %% tags=["exercise"]
def point_jacobian(R, p):
    raise NotImplementedError


dk.course.check("7.2", point_jacobian, seed=0, language="en")

# %% [markdown] lang="en"
# **7.3** Which yaw and pitch point the nose at a place? Remember which way the third axis goes.

# %% [markdown] lang="zh"
# **7.3** 偏航和俯仰各取多少，机头才对准某个地点？别忘了第三根轴朝哪边。


# %% tags=["exercise"]
def aim_nose(position, target):
    raise NotImplementedError


dk.course.check("7.3", aim_nose, seed=0, language="en")

# %% [markdown] lang="en"
# **7.4** Find the attitude from two measured directions, the first of which is to be trusted.

# %% [markdown] lang="zh"
# **7.4** 由两个测得的方向求姿态，其中第一个更可信。


# %% tags=["exercise"]
def triad(first_body, second_body, first_ned, second_ned):
    raise NotImplementedError


dk.course.check("7.4", triad, seed=0, language="en")

# %% [markdown] lang="en"
# **7.5** How fast does the angular velocity change under a torque?

# %% [markdown] lang="zh"
# **7.5** 在力矩作用下，角速度变化得多快？


# %% tags=["exercise"]
def angular_acceleration(omega, inertia, torque):
    raise NotImplementedError


dk.course.check("7.5", angular_acceleration, seed=0, language="en")
