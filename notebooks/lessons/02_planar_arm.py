# %% [markdown] lang="en"
# # Lesson 2. A planar arm
#
# Two links, two joints, and everything that makes robot arms interesting: where the hand is, how fast it moves, and why
# there are places where it cannot move at all. The tool is the one of lesson 1: the Jacobian from backward seeds.
#
# At the end you will have made this picture. The ellipses show how fast the tip can go in each direction when the joints
# turn with unit speed. Look what happens to them when the arm is stretched out.
#
# ![A planar arm and its velocity ellipses](../images/02_planar_arm.png)

# %% [markdown] lang="zh"
# # 第 2 课　平面机械臂
#
# 两根连杆、两个关节，机械臂有意思的地方就全有了：手在哪里，动得多快，为什么有些地方它动弹不得。用的还是第 1 课的
# 工具：由反向种子得到的雅可比矩阵。
#
# 学完以后，你会画出下面这张图。椭圆表示关节以单位速度转动时，末端朝各个方向能走多快。注意手臂伸直时，椭圆变成了什么样。
#
# ![平面机械臂和它的速度椭圆](../images/02_planar_arm.png)

# %%
import matplotlib.pyplot as plt
import torch

import diffkin as dk

torch.set_default_dtype(torch.float64)

# %% [markdown] lang="en"
# ## 1. Where is the tip?
#
# `planar_2r` has a *link* of 0.5 m and one of 0.4 m. The first *joint* turns both, by the angle $q_1$; the second one turns
# the second link relative to the first, by $q_2$. So the second link points in the direction $q_1 + q_2$, and
#
# $$p = \begin{pmatrix} l_1 \cos q_1 + l_2 \cos(q_1 + q_2) \\ l_1 \sin q_1 + l_2 \sin(q_1 + q_2) \end{pmatrix}.$$
#
# From joint angles to the place of the tip: that is *forward kinematics*.

# %% [markdown] lang="zh"
# ## 1. 末端在哪里？
#
# `planar_2r` 有两根*连杆*，长 0.5 m 和 0.4 m。第一个*关节*带着两根连杆一起转，转角为 $q_1$；第二个关节让第二根连杆相对
# 第一根再转 $q_2$。所以第二根连杆的方向是 $q_1 + q_2$，末端的位置是
#
# $$p = \begin{pmatrix} l_1 \cos q_1 + l_2 \cos(q_1 + q_2) \\ l_1 \sin q_1 + l_2 \sin(q_1 + q_2) \end{pmatrix}.$$
#
# 由关节角求末端的位置，这就是*正运动学*。

# %%
l_1, l_2 = 0.5, 0.4


def tip_position(q):
    x = l_1 * q[0].cos() + l_2 * (q[0] + q[1]).cos()
    y = l_1 * q[0].sin() + l_2 * (q[0] + q[1]).sin()
    return torch.stack((x, y))


q = torch.tensor([0.4, 0.9])
robot = dk.load_robot("planar_2r")
print(tip_position(q))
print(robot.forward_kinematics(q)[:2, 3])  # the same from the robot's file; T is 4 x 4, its last column holds the place

# %% [markdown] lang="en"
# ## 2. Three ways to the Jacobian
#
# **By seeds.** Nothing about arms is needed, only that PyTorch can walk back through `tip_position`.

# %% [markdown] lang="zh"
# ## 2. 雅可比矩阵的三种求法
#
# **用种子。** 不需要任何机械臂的知识，只要 PyTorch 能沿着 `tip_position` 走回去就行。

# %%
J_seeds = dk.autograd.jacobian(tip_position, q)
print(J_seeds)

# %% [markdown] lang="en"
# **By formula.** Differentiate $p$ with pencil and paper. There is a picture behind it: when joint $j$ turns, the tip moves on
# a circle about that joint. If $r_j$ leads from the joint to the tip, column $j$ is $r_j$ turned by 90 degrees:
# $(-r_y,\; r_x)$. This is the *geometric Jacobian*.

# %% [markdown] lang="zh"
# **用解析式。** 用笔对 $p$ 求导。式子背后有一幅图：关节 $j$ 转动时，末端绕这个关节做圆周运动。设 $r_j$ 是从关节指向末端的向量，
# 那么第 $j$ 列就是 $r_j$ 转过 90 度：$(-r_y,\; r_x)$。这就是*几何雅可比矩阵*。


# %%
def jacobian_by_formula(q):
    tip = tip_position(q)
    elbow = l_1 * torch.stack((q[0].cos(), q[0].sin()))
    r_1, r_2 = tip, tip - elbow
    return torch.stack((torch.stack((-r_1[1], r_1[0])), torch.stack((-r_2[1], r_2[0]))), dim=1)


J_formula = jacobian_by_formula(q)
print((J_formula - J_seeds).abs().max().item())

# %% [markdown] lang="en"
# **By finite differences.** Move each joint a little, forth and back, and see how far the tip went:
# $(p(q + h e_j) - p(q - h e_j)) / 2 h$. This *central difference* needs no derivative at all. But which $h$? Let us try
# all of them.

# %% [markdown] lang="zh"
# **用差分。** 把每个关节向前、向后各动一点，看末端走了多远：$(p(q + h e_j) - p(q - h e_j)) / 2 h$。这种*中心差分*
# 完全不用求导。可是 $h$ 取多大？不妨都试一遍。


# %%
def central_difference(q, h):
    return torch.stack([(tip_position(q + e) - tip_position(q - e)) / (2 * h) for e in h * torch.eye(2)], dim=1)


steps = torch.logspace(-14, 0, 57)
errors = torch.stack([(central_difference(q, h) - J_formula).abs().max() for h in steps])
figure, axes = plt.subplots(figsize=(5, 3.2), layout="constrained")
axes.loglog(steps, errors, ".-")
axes.set_xlabel("step h [rad]")
axes.set_ylabel("error of J [m/rad]")
axes.grid(alpha=0.3)
plt.show()
print(f"best step {steps[errors.argmin()]:.0e}, error {errors.min():.0e}")

# %% [markdown] lang="en"
# On the right the error shrinks like $h^2$. On the left rounding takes over: two nearly equal numbers are subtracted, and the
# rest is divided by almost nothing. Even the best $h$ loses a third of the digits. Seeds and the formula lose none, and
# that is why we use differences to check a Jacobian and not to have one.

# %% [markdown] lang="zh"
# 右半边，误差随 $h^2$ 减小。左半边轮到舍入误差作主：两个几乎相等的数相减，再除以一个几乎为零的数。即使 $h$ 取得最好，
# 也要丢掉三分之一的有效数字。种子和解析式一位也不丢。所以差分是用来复核雅可比矩阵的，不是用来求它的。

# %% [markdown] lang="en"
# ## 3. Velocity
#
# $v = J \dot q$: the Jacobian turns joint velocities into the velocity of the tip. If the joints turn with
# $\dot q$ of length 1, in whichever mixture, $v$ ends on an ellipse, the *velocity ellipse*. Its semi-axes are the *singular
# values* of $J$: the long one is the direction the tip likes, the short one the direction it does not.

# %% [markdown] lang="zh"
# ## 3. 速度
#
# $v = J \dot q$：雅可比矩阵把关节速度变成末端的速度。只要 $\dot q$ 的长度为 1，不管各关节怎样搭配，$v$ 的端点都落在一个椭圆上，
# 这就是*速度椭圆*。它的半轴是 $J$ 的*奇异值*：长轴是末端容易走的方向，短轴是难走的方向。

# %%
dq = torch.tensor([0.6, -0.8])
v = J_formula @ dq
moved = (tip_position(q + 1e-6 * dq) - tip_position(q)) / 1e-6
print(v, (v - moved).abs().max().item() < 1e-6)
print("semi-axes:", torch.linalg.svdvals(J_formula))

# %% [markdown] lang="en"
# ## 4. The other way round, and a surprise
#
# A task says how the **tip** should move, say outwards along the arm at 0.1 m/s. Then $\dot q = J^{-1} v$. We do that for an arm
# whose elbow is a little bent, less, and still less.

# %% [markdown] lang="zh"
# ## 4. 反过来，出事了
#
# 任务规定的是末端怎么走，比如沿手臂方向往外走，速度 0.1 m/s。那么 $\dot q = J^{-1} v$。让肘部弯一点，再少弯一点，越来越直，
# 分别算一算。

# %%
v = torch.tensor([0.1, 0.0])
speeds = []
for bend in (0.5, 0.05, 0.005, 0.0005):
    bent = torch.tensor([-bend / 2, bend])
    dq = torch.linalg.solve(jacobian_by_formula(bent), v)
    speeds.append(dq.abs().max().item())
    print(f"elbow {bend:7.4f} rad: joints turn with {speeds[-1]:8.1f} rad/s")

try:
    torch.linalg.solve(jacobian_by_formula(torch.zeros(2)), v)
except RuntimeError as error:
    singular = str(error)
    print("stretched out:", singular.split("\n")[0][:90])

# %% [markdown] lang="en"
# Nine hundred radians a second, 143 turns, for a tip that creeps: no motor does that. And stretched out there is no answer
# at all. What just happened? The determinant tells:
#
# $$\det J = l_1 l_2 \sin q_2.$$
#
# It does not contain $q_1$ (turning the whole arm changes nothing), and for $q_2 = 0$ it vanishes. Both columns of $J$ then
# point the same way, across the arm; no mixture of them goes outwards. The arm is in a *singularity*. Near it, the
# *manipulability* $\sqrt{\det(J J^T)}$, the product of the semi-axes, is small. Watch it while the elbow bends:

# %% [markdown] lang="zh"
# 每秒九百弧度，一百四十多圈，只为了让末端慢慢挪动：没有电机做得到。手臂伸直时，干脆无解。怎么回事？行列式说明了一切：
#
# $$\det J = l_1 l_2 \sin q_2.$$
#
# 式中没有 $q_1$（整条手臂一起转，什么也不改变），而 $q_2 = 0$ 时它等于零。这时 $J$ 的两列指向同一个方向，都与手臂垂直，
# 怎样组合也走不出往外的一步。这样的位形叫做*奇异位形*。在它附近，*可操作度* $\sqrt{\det(J J^T)}$（即两条半轴的乘积）很小。
# 肘部弯曲时它是这样变化的：

# %%
bends = torch.linspace(-torch.pi, torch.pi, 181)
values = torch.stack(
    [torch.linalg.svdvals(jacobian_by_formula(torch.stack((torch.tensor(0.3), b)))).prod() for b in bends]
)
figure, axes = plt.subplots(figsize=(5, 3.0), layout="constrained")
axes.plot(bends, values)
axes.plot(bends, (l_1 * l_2 * bends.sin()).abs(), "k:", label=r"$l_1 l_2\,|\sin q_2|$")
axes.set(xlabel="elbow $q_2$ [rad]", ylabel="manipulability [m$^2$]")
axes.legend()
plt.show()

# %% [markdown] lang="en"
# ## 5. The picture
#
# Now all of it at once: the arm in five positions, from folded to stretched, with the ellipse of each at its tip. (A fifth of
# its true size, or they would cover the arm.)

# %% [markdown] lang="zh"
# ## 5. 画出来
#
# 现在把这些放到一张图里：手臂的五个位形，从弯曲到伸直，末端画上各自的速度椭圆。（缩小到五分之一，否则会把手臂盖住。）

# %% tags=["opening"]
angle = torch.linspace(0, 2 * torch.pi, 100)
circle = torch.stack((angle.cos(), angle.sin()))
figure, axes = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
for shoulder, bend, color in (
    (2.6, 2.0, "C0"),
    (1.75, 1.7, "C1"),
    (0.95, 1.3, "C2"),
    (0.5, 0.7, "C3"),
    (-0.1, 0.0, "C4"),
):
    pose = torch.tensor([shoulder, bend])
    elbow = l_1 * torch.stack((pose[0].cos(), pose[0].sin()))
    tip = tip_position(pose)
    ellipse = tip[:, None] + 0.2 * jacobian_by_formula(pose) @ circle
    axes.plot(*torch.stack((torch.zeros(2), elbow, tip), dim=1), "o-", color=color, lw=3)
    axes.plot(*ellipse, color=color, lw=1.5)
axes.plot(0, 0, "ks", ms=10)
axes.set(aspect="equal", xlabel="x [m]", ylabel="y [m]")
axes.grid(alpha=0.3)
plt.show()

# %% [markdown] lang="en"
# The ellipse of the stretched arm is a line. All that the tip can do there is swing.
#
# ## Summary
#
# - Forward kinematics: from joint angles to the place of the tip. A joint turns everything that comes after it.
# - Column $j$ of the Jacobian is the velocity of the tip when joint $j$ alone turns. Seeds and formula agree to rounding;
#   differences agree to about ten digits and are good for checking.
# - $v = J \dot q$. The velocity ellipse has the singular values of $J$ as semi-axes.
# - Where $\det J = 0$ the arm is singular: some velocity of the tip has no joint velocity, and nearby ones want huge ones.
#
# ## Exercises
#
# **2.1** Write the forward kinematics of a planar arm with any number of links, such that gradients flow to the angles and to
# the lengths.

# %% [markdown] lang="zh"
# 手臂伸直时，椭圆缩成了一条线段：末端只能左右摆动。
#
# ## 小结
#
# - 正运动学：由关节角求末端的位置。一个关节会带着它后面的所有连杆一起转。
# - 雅可比矩阵的第 $j$ 列，是只有关节 $j$ 转动时末端的速度。种子和解析式的结果只差舍入误差；差分大约准到十位，适合用来复核。
# - $v = J \dot q$。速度椭圆的半轴就是 $J$ 的奇异值。
# - $\det J = 0$ 的地方是奇异位形：末端的某些速度无法由任何关节速度得到，而它附近的速度要求极大的关节速度。
#
# ## 练习
#
# **2.1** 写出任意多根连杆的平面机械臂的正运动学，并让梯度既能传到关节角，也能传到连杆长度。


# %% tags=["exercise"]
def tip_position(q, lengths):
    raise NotImplementedError


dk.course.check("2.1", tip_position, seed=0, language="en")

# %% [markdown] lang="en"
# **2.2** Return the Jacobian of that arm by formula, without autograd. What is $r_j$ for joint $j$?

# %% [markdown] lang="zh"
# **2.2** 用解析式写出这种机械臂的雅可比矩阵，不用自动求导。关节 $j$ 的 $r_j$ 是什么？


# %% tags=["exercise"]
def jacobian_by_formula(q, lengths):
    raise NotImplementedError


dk.course.check("2.2", jacobian_by_formula, seed=0, language="en")

# %% [markdown] lang="en"
# **2.3** Write central differences for any function `f`, to check any Jacobian with.

# %% [markdown] lang="zh"
# **2.3** 为任意函数 `f` 写出中心差分，以后可以用它复核任何雅可比矩阵。


# %% tags=["exercise"]
def jacobian_by_differences(f, q, h):
    raise NotImplementedError


dk.course.check("2.3", jacobian_by_differences, seed=0, language="en")

# %% [markdown] lang="en"
# **2.4** Return the manipulability for a Jacobian with 2 rows and any number of columns.

# %% [markdown] lang="zh"
# **2.4** 雅可比矩阵有 2 行、任意多列，返回可操作度。


# %% tags=["exercise"]
def manipulability(J):
    raise NotImplementedError


dk.course.check("2.4", manipulability, seed=0, language="en")

# %% [markdown] lang="en"
# **2.5** The tip pushes with a force. Which torques does that take at the joints? (It is one backward pass: what is the seed?)

# %% [markdown] lang="zh"
# **2.5** 末端用力推，各关节需要多大的力矩？（这正是一次反向传播：种子是什么？）


# %% tags=["exercise"]
def torques(J, F):
    raise NotImplementedError


dk.course.check("2.5", torques, seed=0, language="en")
