# %% [markdown] lang="en"
# # Lesson 3. Rotations
#
# A hand and an aircraft do not only have a place, they also point somewhere. Directions do not add like positions do, and
# every way to write them down has a trap of its own. This lesson walks into three of them: two quaternions for one
# rotation, angles that jump, and gradients that are NaN.
#
# At the end you will have made this picture: the nose of an aircraft on its way from one attitude to another, once through
# Euler angles and once along the shortest way.
#
# ![Three ways from one attitude to another](../images/03_rotations.png)

# %% [markdown] lang="zh"
# # 第 3 课　旋转
#
# 手和飞行器不光有位置，还有朝向。朝向不能像位置那样相加，而且每一种写法都有自己的陷阱。这一课要亲自踩三个：一个旋转对应两个
# 四元数、会跳变的角、等于 NaN 的梯度。
#
# 学完以后，你会画出下面这张图：飞机从一个姿态转到另一个姿态，机头走过的路。一条按欧拉角插值，一条走最短的路。
#
# ![从一个姿态到另一个姿态的三条路](../images/03_rotations.png)

# %%
import math

import matplotlib.pyplot as plt
import torch

import diffkin as dk
from diffkin import autograd, rotations

torch.set_default_dtype(torch.float64)

# %% [markdown] lang="en"
# ## 1. Nine numbers, three freedoms
#
# A *rotation matrix* $R$ holds the three axes of the body as columns. They are at right angles and of length 1,
# $R^T R = I$, and right-handed, $\det R = 1$. So the nine numbers have only three freedoms: an axis and an angle. Written as one
# vector $r$, direction the axis and length the angle, they are the *rotation vector*. The way from $r$ to $R$ is the
# *exponential map*,
#
# $$R = \exp(\hat r) = I + \frac{\sin a}{a}\,\hat r + \frac{1 - \cos a}{a^2}\,\hat r^2, \qquad a = |r|,$$
#
# where $\hat r$ is the matrix with $\hat r\, u = r \times u$. The way back is the *logarithm map*.

# %% [markdown] lang="zh"
# ## 1. 九个数，三个自由度
#
# *旋转矩阵* $R$ 的三列，是固连在物体上的三根坐标轴。它们两两垂直、长度为 1，即 $R^T R = I$；而且构成右手系，即 $\det R = 1$。
# 因此九个数只有三个自由度：一根轴，一个角。合写成一个向量 $r$，方向是转轴，长度是转角，这就是*旋转向量*。从 $r$ 到 $R$ 是
# *指数映射*：
#
# $$R = \exp(\hat r) = I + \frac{\sin a}{a}\,\hat r + \frac{1 - \cos a}{a^2}\,\hat r^2, \qquad a = |r|,$$
#
# 其中矩阵 $\hat r$ 满足 $\hat r\, u = r \times u$。反过来就是*对数映射*。

# %%
r = torch.tensor([0.0, 0.0, math.pi / 2])  # a quarter turn about z
R = rotations.rotvec_to_matrix(r)
print(R.round(decimals=3))
print("x goes to", (R @ torch.tensor([1.0, 0.0, 0.0])).round(decimals=3))
print("back:", rotations.matrix_to_rotvec(R))

# %% [markdown] lang="en"
# Rotations are not added but multiplied, and the order matters. Hold a book and try: a quarter turn about x and one about z,
# in both orders.

# %% [markdown] lang="zh"
# 旋转不是相加，而是相乘，而且与次序有关。拿本书试试：绕 x 转四分之一圈，再绕 z 转四分之一圈；然后换个次序。

# %%
R_x = rotations.rotvec_to_matrix(torch.tensor([math.pi / 2, 0.0, 0.0]))
R_z = R
print((R_x @ R_z).round().int().tolist())
print((R_z @ R_x).round().int().tolist())
print("angle between the two:", math.degrees(rotations.angle_between(R_x @ R_z, R_z @ R_x)), "deg")

# %% [markdown] lang="en"
# ## 2. First trap: two quaternions for one rotation
#
# A *unit quaternion* is four numbers of length 1: $(n \sin\frac a2,\; \cos\frac a2)$ for the axis $n$ and the angle $a$. (Here $w$
# comes last, as in PyBullet and SciPy. Others put it first: look it up, every time.) Turn once more all around: $a + 2\pi$ is
# the same rotation, but both sine and cosine change sign. So $q$ and $-q$ are the same rotation, a *double cover*.
#
# Let us forget that on purpose and take the mean of ten noisy measurements of one attitude, some of which came with the
# other sign.

# %% [markdown] lang="zh"
# ## 2. 第一个陷阱：一个旋转，两个四元数
#
# *单位四元数*是四个数，长度为 1：轴为 $n$、角为 $a$ 时，它是 $(n \sin\frac a2,\; \cos\frac a2)$。（这里 $w$ 放在最后，和
# PyBullet、SciPy 一样。别的库可能放在最前面，每次都要查清楚。）再多转一整圈，$a + 2\pi$ 还是同一个旋转，可是正弦、余弦都变了号。
# 所以 $q$ 和 $-q$ 是同一个旋转，这叫*双重覆盖*。
#
# 我们故意忘掉这一点：对同一个姿态有十次带噪声的测量，其中几次的符号正好相反，直接求平均。

# %%
generator = torch.Generator().manual_seed(0)
truth = rotations.rotvec_to_quat_xyzw(torch.tensor([0.3, -0.5, 1.2]))
noise = rotations.rotvec_to_quat_xyzw(0.02 * torch.randn(10, 3, generator=generator))
measured = rotations.quat_xyzw_multiply(truth.expand(10, 4), noise)
measured = measured * torch.tensor([1.0, -1, 1, 1, -1, -1, 1, -1, -1, 1])[:, None]


def error_deg(q):
    R_q, R_truth = rotations.quat_xyzw_to_matrix(q), rotations.quat_xyzw_to_matrix(truth)
    return math.degrees(rotations.angle_between(R_q, R_truth))


naive = rotations.quat_xyzw_normalize(measured.mean(0))
print(f"each measurement: at most {max(error_deg(q) for q in measured):.1f} deg off")
print(f"their plain mean: {error_deg(naive):.1f} deg off")

# %% [markdown] lang="en"
# Measurements that are all nearly right, and a mean that is nonsense: half of them cancelled the other half, and what was left is
# noise, made unit. Flip each one to the side of the first before adding (or take the mean of rotations, which has no
# signs):

# %% [markdown] lang="zh"
# 每次测量都差不多是对的，平均出来却毫无意义：一半与另一半互相抵消，剩下的只是噪声，又被归一化了。求和之前，先把每一个都翻到与第一个同侧
# （或者直接对旋转求平均，旋转没有符号问题）：

# %%
same_side = rotations.quat_xyzw_closest_to(measured, measured[0])
good = rotations.quat_xyzw_normalize(same_side.mean(0))
mean_R = rotations.mean_rotation(rotations.quat_xyzw_to_matrix(measured))
print(f"{error_deg(good):.2f} deg, {error_deg(rotations.matrix_to_quat_xyzw(mean_R)):.2f} deg")

# %% [markdown] lang="en"
# ## 3. Second trap: Euler angles have a pole
#
# Pilots say yaw, pitch and roll: three turns after one another about axes that move along. Three numbers for three freedoms,
# the *Euler angles*, easy to imagine. But let the nose go up to 90 degrees: now yaw and roll turn about the **same**
# line, and one freedom is gone. This is *gimbal lock*. The angular velocity $\omega$ is harmless, the rates of the angles are
# $M \omega$, and $M$ has $1 / \cos(\text{pitch})$ in it. Fly a loop that goes nearly straight up, and look at the angles:

# %% [markdown] lang="zh"
# ## 3. 第二个陷阱：欧拉角有极点
#
# 飞行员说偏航、俯仰、滚转：依次绕随动的轴转三次。三个自由度正好三个数，这就是*欧拉角*，很直观。可是让机头抬到 90 度：这时偏航和
# 滚转绕的是**同一条**直线，少了一个自由度，这叫*万向节死锁*。角速度 $\omega$ 本身没有任何异常，但角的变化率是 $M \omega$，
# 而 $M$ 里含有 $1 / \cos(\text{pitch})$。让飞机翻一个几乎笔直向上的筋斗，看看这些角：

# %%
start = rotations.euler_to_matrix(torch.tensor([0.0, 0.0, 0.03]), "ZYX")  # banked by 0.03 rad
times = torch.linspace(0, math.pi, 400)
turns = rotations.rotvec_to_matrix(times[:, None] * torch.tensor([0.0, 1.0, 0.0]))  # pitch up at 1 rad/s in body axes
angles = rotations.matrix_to_euler(start @ turns, "ZYX")
rates = rotations.euler_rate_matrix(angles, "ZYX") @ torch.tensor([0.0, 1.0, 0.0])

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for k, name in enumerate(("yaw", "pitch", "roll")):
    left.plot(times, torch.rad2deg(angles[:, k]), label=name)
    right.semilogy(times, rates[:, k].abs().clamp(min=1e-3), label=name)
left.set(xlabel="time [s]", ylabel="angle [deg]")
right.set(xlabel="time [s]", ylabel="|rate| [rad/s]", title="body rate: 1 rad/s throughout")
left.legend()
plt.show()
print(f"fastest: {rates.abs().max().item():.0f} rad/s")

# %% [markdown] lang="en"
# A loop at a constant 1 rad/s, and yaw and roll race through half a turn in a moment. Any controller or network that works on
# these angles would see a jump where the aircraft feels nothing. Use Euler angles to talk, and matrices or
# quaternions to compute.
#
# ## 4. Third trap: a gradient that is NaN
#
# How far apart are two attitudes? The angle follows from the trace: $\cos a = (\operatorname{tr} R - 1) / 2$. Every book has this
# formula, and it is right. Let us differentiate it where training wants to arrive: at angle zero.

# %% [markdown] lang="zh"
# 筋斗的角速度始终是 1 rad/s，偏航和滚转却在一瞬间转过了半圈。凡是直接使用这些角的控制器或网络，都会看到一次跳变，而飞机毫无感觉。
# 欧拉角适合用来交流，计算请用矩阵或四元数。
#
# ## 4. 第三个陷阱：等于 NaN 的梯度
#
# 两个姿态相差多少？转角可以由迹求出：$\cos a = (\operatorname{tr} R - 1) / 2$。每本书上都有这个公式，它也是对的。训练的目标正是让
# 这个角等于零，我们就在这里求导。


# %%
def angle_by_trace(r):
    return torch.acos((rotations.rotvec_to_matrix(r).diagonal().sum() - 1) / 2)


def angle_by_distance(r):
    return rotations.angle_between(rotations.rotvec_to_matrix(r), torch.eye(3))


lengths = (1.0, 1e-4, 1e-7, 0.0)
gradients = {}
for name, f in (("trace", angle_by_trace), ("distance", angle_by_distance)):
    gradients[name] = torch.stack([autograd.jacobian(f, torch.tensor([0.0, 0.0, length])) for length in lengths])
for k, length in enumerate(lengths):
    print(f"|r| = {length:.0e}:  trace {gradients['trace'][k, 2]:12.6f}   distance {gradients['distance'][k, 2]:9.6f}")

# %% [markdown] lang="en"
# The true derivative is 1 for every angle above zero. The trace gives fewer and fewer digits, then NaN: $\cos$ is flat at
# zero, so acos is infinitely steep there, and infinity times zero is NaN. One NaN in one sample of a batch, and
# after the next step all weights of a network are NaN.
#
# The same waits at half a turn, where the axis itself has two signs. The way out is a formula whose parts are all harmless there, for
# instance $a = \operatorname{atan2}(|{\sin}|, \cos)$ with a series near zero. `rotations.angle_between` does that, also at $\pi$.

# %% [markdown] lang="zh"
# 只要角大于零，真正的导数就是 1。用迹来算，有效数字越来越少，最后成了 NaN：$\cos$ 在零处是平的，所以 acos 在那里无限陡，无穷大乘以零就是
# NaN。一个批量里只要有一个样本出现 NaN，下一步之后，网络的所有权重就都是 NaN。
#
# 转半圈的地方也有同样的问题，那里转轴本身就有正负两个方向。出路是换一个处处无害的式子，比如 $a = \operatorname{atan2}(|{\sin}|, \cos)$，
# 在零附近改用级数。`rotations.angle_between` 就是这样做的，在 $\pi$ 处也一样。

# %%
near_pi = torch.tensor([0.0, 0.0, math.pi])
print(
    autograd.jacobian(angle_by_trace, near_pi)[2].item(),
    autograd.jacobian(angle_by_distance, near_pi).norm().item() <= 1,
)

# %% [markdown] lang="en"
# ## 5. From one attitude to another
#
# How does one turn from attitude $A$ to $B$ at an even pace? Between positions one takes a straight line. Between attitudes:
#
# - Euler angles changed evenly, one by one. The nose takes a detour.
# - matrices mixed entry by entry. What comes out is **no** rotation: its columns are too short.
# - $R(t) = A \exp(t \log(A^T B))$: always the same axis, the shortest way. With quaternions this is called *slerp*.

# %% [markdown] lang="zh"
# ## 5. 从一个姿态到另一个姿态
#
# 怎样匀速地从姿态 $A$ 转到姿态 $B$？位置之间走直线就行。姿态之间呢？
#
# - 让各个欧拉角分别匀速变化：机头绕了远路。
# - 把矩阵逐个元素地混合：结果**不是**旋转，它的各列太短了。
# - $R(t) = A \exp(t \log(A^T B))$：始终绕同一根轴，走最短的路。用四元数来写，就叫*球面线性插值*。

# %% tags=["opening"]
euler_A, euler_B = torch.tensor([-0.9, 0.2, 0.0]), torch.tensor([1.6, 1.25, 0.9])
A, B = rotations.euler_to_matrix(euler_A, "ZYX"), rotations.euler_to_matrix(euler_B, "ZYX")
t = torch.linspace(0, 1, 50)[:, None]
ways = {
    "Euler angles": rotations.euler_to_matrix(euler_A + t * (euler_B - euler_A), "ZYX"),
    "matrix entries": A + t[:, :, None] * (B - A),
    "shortest turn": A @ rotations.rotvec_to_matrix(t * rotations.matrix_to_rotvec(A.T @ B)),
}
figure = plt.figure(figsize=(8, 4.4), layout="constrained")
axes = figure.add_subplot(projection="3d")
u, w = torch.meshgrid(torch.linspace(0, 2 * math.pi, 37), torch.linspace(0, math.pi, 19), indexing="ij")
axes.plot_wireframe((u.cos() * w.sin()).numpy(), (u.sin() * w.sin()).numpy(), w.cos().numpy(), color="0.88", lw=0.5)
for (name, R), style in zip(ways.items(), ("C1-", "C3--", "C0-")):
    axes.plot(*R[:, :, 0].T.numpy(), style, lw=3, label=name)  # the nose is the x axis of the body
for end, mark in ((A, "A"), (B, "B")):
    axes.scatter(*end[:, 0].numpy(), color="k", s=40)
    axes.text(*(1.12 * end[:, 0]).numpy(), mark, fontsize=14)
axes.set(box_aspect=(1, 1, 1), xlim=(-0.7, 0.7), ylim=(-0.7, 0.7), zlim=(0.7, -0.7))  # z points down, as in an aircraft
axes.set_axis_off()
axes.view_init(elev=15, azim=-25)
axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
plt.show()

lengths_of_way = {
    name: sum(math.degrees(rotations.angle_between(R[k], R[k + 1])) for k in range(49))
    for name, R in ways.items()
    if name != "matrix entries"
}
print({name: round(length, 1) for name, length in lengths_of_way.items()})
print("shortest column of the mixed matrices:", round(ways["matrix entries"].norm(dim=1).min().item(), 2))

# %% [markdown] lang="en"
# ## Summary
#
# - A rotation has three freedoms. Rotation vector to matrix: exponential map; back: logarithm map. Rotations are multiplied, in order.
# - $q$ and $-q$ are one rotation. Bring quaternions to one side before you add or compare them.
# - Euler angles have a pole at pitch 90 degrees, where their rates are infinite. Talk in them, do not compute in them.
# - A formula that is right may still have a gradient that is NaN, at zero and at half a turn, where training wants to arrive.
#
# ## Exercises
#
# **3.1** Write the exponential map such that its values **and its gradients** are right at $r = 0$ as well.

# %% [markdown] lang="zh"
# ## 小结
#
# - 旋转有三个自由度。旋转向量到矩阵是指数映射，反过来是对数映射。旋转要按次序相乘。
# - $q$ 和 $-q$ 是同一个旋转。相加或比较之前，先翻到同一侧。
# - 欧拉角在俯仰 90 度处有极点，变化率无穷大。用它来交流，不要用它来计算。
# - 公式是对的，梯度仍可能是 NaN：就在零和半圈处，而那正是训练要到达的地方。
#
# ## 练习
#
# **3.1** 写出指数映射，让它的值**和梯度**在 $r = 0$ 处也是对的。


# %% tags=["exercise"]
def rotvec_to_matrix(r):
    raise NotImplementedError


dk.course.check("3.1", rotvec_to_matrix, seed=0, language="en")

# %% [markdown] lang="en"
# **3.2** Turn a quaternion into a matrix. Which of the four numbers is $w$?

# %% [markdown] lang="zh"
# **3.2** 把四元数变成旋转矩阵。四个数里哪一个是 $w$？


# %% tags=["exercise"]
def quat_xyzw_to_matrix(q):
    raise NotImplementedError


dk.course.check("3.2", quat_xyzw_to_matrix, seed=0, language="en")

# %% [markdown] lang="en"
# **3.3** Return the angle between two attitudes that come as quaternions.

# %% [markdown] lang="zh"
# **3.3** 给出两个姿态的四元数，返回它们之间的夹角。


# %% tags=["exercise"]
def angle_between(p, q):
    raise NotImplementedError


dk.course.check("3.3", angle_between, seed=0, language="en")

# %% [markdown] lang="en"
# **3.4** Turn yaw, pitch and roll into a matrix, differentiable. In which order are the three multiplied?

# %% [markdown] lang="zh"
# **3.4** 把偏航、俯仰、滚转变成旋转矩阵，并且可微。三个矩阵按什么次序相乘？


# %% tags=["exercise"]
def euler_zyx_to_matrix(angles):
    raise NotImplementedError


dk.course.check("3.4", euler_zyx_to_matrix, seed=0, language="en")

# %% [markdown] lang="en"
# **3.5** A camera has seen an attitude twice. Return the angular velocity in between, in the axes of the world.

# %% [markdown] lang="zh"
# **3.5** 相机两次测得了姿态。返回这段时间里的角速度，在世界坐标轴下表示。


# %% tags=["exercise"]
def angular_velocity(R0, R1, dt):
    raise NotImplementedError


dk.course.check("3.5", angular_velocity, seed=0, language="en")
