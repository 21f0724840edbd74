# %% [markdown] lang="en"
# # Lesson 4. A KUKA from its URDF
#
# A real arm comes as a text file: which part hangs on which, where, and about which line it turns. In this lesson you read such a
# file, compute where the hand is with a page of code, have a physics engine check it, and learn to ask four questions of
# every Jacobian that somebody hands you.
#
# At the end you will have made this picture: the arm as PyBullet draws it, and the same arm from nothing but the numbers
# that you multiplied.
#
# ![A KUKA with its meshes, and its frames](../images/04_kuka_urdf.png)

# %% [markdown] lang="zh"
# # 第 4 课　从 URDF 读出一台 KUKA
#
# 真实的机械臂就是一个文本文件：哪个部件装在哪个部件上，装在什么位置，绕哪条线转动。这一课要亲自读这样一个文件，用一页代码算出
# 手在哪里，请物理引擎来复核；以后别人给你一个雅可比矩阵，你也知道该先问哪四个问题。
#
# 学完以后，你会画出下面这张图：左边是 PyBullet 画的机械臂，右边是同一台机械臂，只用你自己乘出来的那些数画成。
#
# ![KUKA 的外形和它的各个坐标系](../images/04_kuka_urdf.png)

# %%
import xml.etree.ElementTree as ElementTree

import matplotlib.pyplot as plt
import pybullet
import torch

import diffkin as dk
from diffkin import rotations
from diffkin.transforms import pose

torch.set_default_dtype(torch.float64)

# %% [markdown] lang="en"
# ## 1. What the file says
#
# A *URDF* is a list of links and joints. Each joint names its parent link and its child link, where it sits in the parent
# (`xyz` in metres and three angles `rpy` in radians), its `axis`, and how far it may turn. Let us read the seven joints of the KUKA with
# Python's own XML reader.

# %% [markdown] lang="zh"
# ## 1. 文件里写了什么
#
# *URDF* 是一张连杆和关节的清单。每个关节写明父连杆和子连杆、它在父连杆上的位置（`xyz`，单位 m；`rpy` 是三个角，单位 rad）、
# 转轴 `axis`，以及能转多远。用 Python 自带的 XML 模块把 KUKA 的七个关节读出来。

# %%
robot = dk.load_robot("kuka_iiwa")
tree = ElementTree.parse(robot.source)  # the file that comes with PyBullet
joints = [joint for joint in tree.getroot().iter("joint") if joint.get("type") == "revolute"]


def numbers(text):
    return torch.tensor([float(word) for word in text.split()])


for joint in joints:
    origin, limit = joint.find("origin"), joint.find("limit")
    print(
        joint.get("name"),
        "xyz", numbers(origin.get("xyz")).tolist(),
        "rpy", [round(angle, 2) for angle in numbers(origin.get("rpy")).tolist()],
        "limit", round(float(limit.get("upper")), 2),
    )  # fmt: skip

# %% [markdown] lang="en"
# ## 2. Frames, and a chain of matrices
#
# Every link has a *frame* of its own: an origin and three axes that are fixed to it. Where frame $b$ is, seen from frame $a$, is
# its *pose*: a rotation and a place, six freedoms. Written as a 4 x 4 matrix it is a *homogeneous transformation*,
#
# $$T_{ab} = \begin{pmatrix} R & p \\ 0 & 1 \end{pmatrix}, \qquad T_{ac} = T_{ab}\, T_{bc}.$$
#
# Read the indices: equal neighbours cancel. A joint contributes two factors, one that never changes (`xyz` and `rpy`, from
# the file) and one that turns:
#
# $$T_{\text{parent, child}}(q) = T_{\text{origin}} \begin{pmatrix} \exp(q\, \hat a) & 0 \\ 0 & 1 \end{pmatrix}.$$
#
# One thing must be known about `rpy`: roll about x, then pitch about y, then yaw about z, all about the **fixed** axes of
# the parent. So the matrix is $R_z R_y R_x$, and the letters are small, `"xyz"`.

# %% [markdown] lang="zh"
# ## 2. 坐标系，以及一连串矩阵
#
# 每根连杆都有自己的*坐标系*：固连在它上面的一个原点和三根轴。从坐标系 $a$ 看，坐标系 $b$ 在哪里、朝哪边，就是它的*位姿*：
# 一个旋转加一个位置，六个自由度。写成 4 x 4 的矩阵，就是*齐次变换矩阵*：
#
# $$T_{ab} = \begin{pmatrix} R & p \\ 0 & 1 \end{pmatrix}, \qquad T_{ac} = T_{ab}\, T_{bc}.$$
#
# 看下标就行：相邻且相同的下标消去。每个关节贡献两个因子，一个永远不变（来自文件的 `xyz` 和 `rpy`），一个随关节转动：
#
# $$T_{\text{parent, child}}(q) = T_{\text{origin}} \begin{pmatrix} \exp(q\, \hat a) & 0 \\ 0 & 1 \end{pmatrix}.$$
#
# 关于 `rpy` 有一点必须知道：先绕 x 滚转，再绕 y 俯仰，最后绕 z 偏航，绕的都是父连杆的**固定**轴。所以矩阵是 $R_z R_y R_x$，
# 记号用小写字母 `"xyz"`。

# %%
origins, axes_of_joints = [], []
for joint in joints:
    xyz, rpy = (numbers(joint.find("origin").get(name)) for name in ("xyz", "rpy"))
    origins.append(pose(rotations.euler_to_matrix(rpy, "xyz"), xyz))
    axes_of_joints.append(numbers(joint.find("axis").get("xyz")))


def link_frames(q):
    """Poses of all links in the base, (n + 1, 4, 4): the base first, the hand last."""
    frames = [torch.eye(4)]
    for origin, axis, angle in zip(origins, axes_of_joints, q):
        turn = pose(rotations.rotvec_to_matrix(angle * axis), torch.zeros(3))
        frames.append(frames[-1] @ origin @ turn)
    return torch.stack(frames)


q = torch.tensor([0.4, 0.6, -0.3, -1.3, 0.5, 1.0, 0.2])
frames = link_frames(q)
print(frames[-1].round(decimals=4))
print("stretched out, the hand is", round(link_frames(torch.zeros(7))[-1, 2, 3].item(), 3), "m above the base")
ours_difference = (frames[-1] - robot.forward_kinematics(q)).abs().max().item()
print(f"largest difference from robot.forward_kinematics: {ours_difference:.0e}")

# %% [markdown] lang="en"
# ## 3. A second opinion, and a false alarm
#
# Two programs of the same author may share a mistake. PyBullet reads the same file with other people's code, so we put its arm
# at the same joint angles and ask for the places of all links. `getLinkState` gives a position first thing, so let us take that.

# %% [markdown] lang="zh"
# ## 3. 请人复核，虚惊一场
#
# 同一个作者写的两段程序，可能犯同样的错。PyBullet 用别人的代码读同一个文件，所以让它的机械臂也转到同样的关节角，再问各连杆在哪里。
# `getLinkState` 返回的第一项就是位置，那就用它吧。

# %%
client = pybullet.connect(pybullet.DIRECT)
body = pybullet.loadURDF(robot.source, useFixedBase=True, physicsClientId=client)
for k, angle in enumerate(q.tolist()):
    pybullet.resetJointState(body, k, angle, physicsClientId=client)
states = [pybullet.getLinkState(body, k, computeForwardKinematics=True, physicsClientId=client) for k in range(7)]
first_entry = torch.tensor([state[0] for state in states])
alarm = (first_entry - frames[1:, :3, 3]).norm(dim=1)
print("apart [mm]:", [round(1000 * d, 1) for d in alarm.tolist()])

# %% [markdown] lang="en"
# Up to 13 centimetres! What just happened? Nothing is wrong with either arm. The first entry is the place of the **centre of mass**;
# a simulator thinks in those. The frame of the link, as the file has it, comes as entries 4 and 5. The same trap waits in
# most engines: before you compare two numbers, ask what each one is.

# %% [markdown] lang="zh"
# 最多差了 13 厘米！怎么回事？两台机械臂都没有错。返回的第一项是**质心**的位置，仿真器关心的是它。文件里所说的连杆坐标系，在第 4、5 项
# （从 0 数起）。多数引擎里都有同样的陷阱：比较两个数之前，先问清楚它们各是什么。

# %%
positions = torch.tensor([state[4] for state in states])
turns = rotations.quat_xyzw_to_matrix(rotations.quat_xyzw_normalize(torch.tensor([state[5] for state in states])))
apart = (positions - frames[1:, :3, 3]).norm(dim=1).max().item()
angle_apart = rotations.angle_between(turns, frames[1:, :3, :3]).max().item()
print(f"largest distance {apart:.0e} m, largest angle {angle_apart:.0e} rad")

# %% [markdown] lang="en"
# Seven digits: PyBullet hands these out in single precision. One configuration proves little, so `diffkin.simulation` repeats it
# for many, from the entries that are in double precision:

# %% [markdown] lang="zh"
# 七位有效数字：这些数是 PyBullet 用单精度给出的。只比一个位形说明不了什么。`diffkin.simulation` 换许多位形来比，并改用双精度的数：

# %%
with dk.simulation.open_world() as world:
    arm = dk.simulation.load(world, robot)
    many = robot.sample(50, seed=0)
    distance, angle = dk.simulation.compare_poses(arm, many)
    jacobian_difference = dk.simulation.compare_jacobians(arm, many)
print(f"all links, 50 configurations: {distance:.0e} m, {angle:.0e} rad; Jacobians {jacobian_difference:.0e}")

# %% [markdown] lang="en"
# ## 4. The Jacobian of a hand in space
#
# The hand has a velocity $v$ and an angular velocity $\omega$; six numbers, a *twist*. Joint $j$ turns about the axis $z_j$, and the
# hand is at $p - p_j$ from it, so as in the plane, with a cross product in place of the quarter turn,
#
# $$J_j = \begin{pmatrix} z_j \times (p - p_j) \\ z_j \end{pmatrix}.$$

# %% [markdown] lang="zh"
# ## 4. 空间中末端的雅可比矩阵
#
# 末端有速度 $v$，还有角速度 $\omega$，一共六个数，合称*运动旋量*。关节 $j$ 绕轴 $z_j$ 转动，末端相对它的位置是 $p - p_j$。
# 与平面的情形一样，只是转 90 度换成了叉乘：
#
# $$J_j = \begin{pmatrix} z_j \times (p - p_j) \\ z_j \end{pmatrix}.$$


# %%
def geometric_jacobian(q):
    frames = link_frames(q)
    p = frames[-1, :3, 3]
    columns = []
    for frame, axis in zip(frames[1:], axes_of_joints):
        z = frame[:3, :3] @ axis
        columns.append(torch.cat((torch.linalg.cross(z, p - frame[:3, 3]), z)))
    return torch.stack(columns, dim=1)


J = geometric_jacobian(q)
by_seeds = dk.autograd.jacobian(lambda q: link_frames(q)[-1, :3, 3], q)  # backward seeds give the upper half
linear, angular = pybullet.calculateJacobian(
    body, 6, [0.0, 0.0, 0.0], q.tolist(), [0.0] * 7, [0.0] * 7, physicsClientId=client
)
pybullet.disconnect(client)
for name, other in (
    ("seeds, upper half", by_seeds - J[:3]),
    ("robot.jacobian", robot.jacobian(q) - J),
    ("PyBullet", torch.tensor([*linear, *angular]) - J),
):
    print(f"{name:18s} differs by {other.abs().max():.0e}")

# %% [markdown] lang="en"
# ## 5. Four questions for a Jacobian
#
# All three agree because all three answer the same way to four questions. Other books and libraries answer otherwise, and a
# Jacobian of the wrong kind still has a plausible shape, 6 x 7. Ask:
#
# 1. **Which rows come first**, linear or angular? (Here linear. Modern Robotics: angular.)
# 2. **Which axes** are the numbers in, those of the base or those of the hand? (`frame="world"` or `"local"`.)
# 3. **Which point** of the hand moves with $v$? (Here its origin. `point=` moves it. A *spatial Jacobian* takes the point
#    that is just passing the origin of the **base**.)
# 4. **Which link**, and are the columns in the order of your joints? (`link=`, `robot.joint_names`.)

# %% [markdown] lang="zh"
# ## 5. 拿到雅可比矩阵，先问四个问题
#
# 三种结果一致，是因为它们对四个问题的回答一样。别的书、别的库回答可能不同，而错的那一种形状照样是 6 x 7，看不出破绽。要问：
#
# 1. **哪几行在前**，线速度还是角速度？（这里线速度在前，《Modern Robotics》里角速度在前。）
# 2. 这些数是在**哪组坐标轴**下的，基座的还是末端的？（`frame="world"` 或 `"local"`。）
# 3. $v$ 是末端上**哪一点**的速度？（这里是它的原点，`point=` 可以换一点。*空间雅可比矩阵*取的是此刻恰好经过**基座**原点的那一点。）
# 4. 是**哪根连杆**的，各列的次序与你的关节一致吗？（`link=`，`robot.joint_names`。）

# %%
R, p = frames[-1, :3, :3], frames[-1, :3, 3]
kinds = {
    "world axes, at the hand": J,
    "angular first": torch.cat((J[3:], J[:3])),
    "axes of the hand": torch.cat((R.T @ J[:3], R.T @ J[3:])),
    "spatial": torch.cat((J[:3] + rotations.hat(p) @ J[3:], J[3:])),
}
dq = torch.tensor([0.3, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0])
for name, kind in kinds.items():
    print(f"{name:24s}", [round(number, 3) for number in (kind @ dq).tolist()])
local_difference = (kinds["axes of the hand"] - robot.jacobian(q, frame="local")).abs().max().item()
print(f"axes of the hand, against frame='local': {local_difference:.0e}")

# %% [markdown] lang="en"
# Four honest descriptions of one motion, and no two alike. A test that tells them apart: move the joints a little, and see
# where the hand went.

# %% [markdown] lang="zh"
# 同一个运动，四种如实的描述，没有两种相同。怎样分辨？让各关节动一点点，看看末端去了哪里。

# %%
moved = link_frames(q + 1e-6 * dq)[-1]
twist = torch.cat((moved[:3, 3] - p, rotations.matrix_to_rotvec(moved[:3, :3] @ R.T))) / 1e-6
misses = {name: (kind @ dq - twist).norm().item() for name, kind in kinds.items()}
print({name: round(miss, 4) for name, miss in misses.items()})

# %% [markdown] lang="en"
# ## 6. The picture
#
# On the left PyBullet with the meshes, on the right `link_frames` alone: x red, y green, z blue, and each joint turns about its
# blue axis.

# %% [markdown] lang="zh"
# ## 6. 画出来
#
# 左边是 PyBullet，带外形；右边只用 `link_frames`：x 红、y 绿、z 蓝，每个关节都绕自己的蓝轴转动。

# %% tags=["opening"]
figure = plt.figure(figsize=(9, 4.6))
left = figure.add_subplot(1, 2, 1)
left.imshow(dk.render(robot, q, 560, 600, target=frames[-1]))
left.set_axis_off()
left.set_title("PyBullet")
right = figure.add_subplot(1, 2, 2, projection="3d")
places = frames[:, :3, 3]
right.plot(*places.T.numpy(), "-o", color="0.6", lw=3, ms=5)
for frame in frames:
    for column, color in enumerate(("C3", "C2", "C0")):
        ends = torch.stack((frame[:3, 3], frame[:3, 3] + 0.12 * frame[:3, column]))
        right.plot(*ends.T.numpy(), color=color, lw=2)
right.set(xlim=(-0.15, 0.7), ylim=(-0.35, 0.5), zlim=(0, 0.85), box_aspect=(1, 1, 1), title="link_frames(q)")
right.set(xlabel="x [m]", ylabel="y [m]", zlabel="z [m]")
right.locator_params(nbins=5)
right.view_init(elev=20, azim=-65)
figure.subplots_adjust(left=0.0, right=0.93, bottom=0.04, top=0.94, wspace=0.05)
plt.show()

# %% [markdown] lang="en"
# ## Summary
#
# - A URDF says for each joint where it sits in its parent and about which axis it turns. `rpy` is about fixed axes: $R_z R_y R_x$.
# - Forward kinematics is a product of poses, two factors a joint. Neighbouring indices cancel.
# - Have another engine check it. `getLinkState` gives the centre of mass first, and the link's frame as entries 4 and 5.
# - A column of the Jacobian is $(z_j \times (p - p_j),\; z_j)$. Ask every Jacobian for the order of its rows, its axes, its point, its link.
#
# ## Exercises
#
# **4.1** Write the pose of a child link in its parent, from the four entries of a joint in a URDF.

# %% [markdown] lang="zh"
# ## 小结
#
# - URDF 为每个关节写明：它在父连杆上的位置和朝向，以及绕哪根轴转动。`rpy` 绕的是固定轴：$R_z R_y R_x$。
# - 正运动学就是位姿连乘，每个关节两个因子；相邻且相同的下标消去。
# - 请另一个引擎来复核。`getLinkState` 首先给出的是质心，连杆坐标系在第 4、5 项。
# - 雅可比矩阵的一列是 $(z_j \times (p - p_j),\; z_j)$。拿到雅可比矩阵先问：行的次序、坐标轴、哪一点、哪根连杆。
#
# ## 练习
#
# **4.1** 给出 URDF 里一个关节的四项数据，写出子连杆在父连杆中的位姿。


# %% tags=["exercise"]
def joint_pose(xyz, rpy, axis, angle):
    raise NotImplementedError


dk.course.check("4.1", joint_pose, seed=0, language="en")

# %% [markdown] lang="en"
# **4.2** Write the forward kinematics of a chain, such that gradients flow to `q`.

# %% [markdown] lang="zh"
# **4.2** 写出一条运动链的正运动学，并让梯度能传到 `q`。


# %% tags=["exercise"]
def forward_kinematics(origins, q):
    raise NotImplementedError


dk.course.check("4.2", forward_kinematics, seed=0, language="en")

# %% [markdown] lang="en"
# **4.3** Write the geometric Jacobian of the same chain, linear rows first, in the axes of the base.

# %% [markdown] lang="zh"
# **4.3** 写出同一条运动链的几何雅可比矩阵：线速度在前，在基座坐标轴下。


# %% tags=["exercise"]
def geometric_jacobian(origins, q):
    raise NotImplementedError


dk.course.check("4.3", geometric_jacobian, seed=0, language="en")

# %% [markdown] lang="en"
# **4.4** A camera on the hand sees a cup. Where is the cup in the base, and where is the base in the frame of the cup? The second needs
# the inverse of a pose, without `torch.linalg.inv`.

# %% [markdown] lang="zh"
# **4.4** 手上的相机看见了一个杯子，杯子在基座中的位姿就知道了；反过来，基座在杯子坐标系中的位姿呢？这需要位姿的逆，不许用 `torch.linalg.inv`。


# %% tags=["exercise"]
def invert_pose(T):
    raise NotImplementedError


dk.course.check("4.4", invert_pose, seed=0, language="en")

# %% [markdown] lang="en"
# **4.5** The hand holds a tool. Turn the Jacobian of the hand's origin into that of the tool's tip.

# %% [markdown] lang="zh"
# **4.5** 手里握着工具。由末端原点的雅可比矩阵，求工具尖端的雅可比矩阵。


# %% tags=["exercise"]
def jacobian_of_point(J, T, point):
    raise NotImplementedError


dk.course.check("4.5", jacobian_of_point, seed=0, language="en")
