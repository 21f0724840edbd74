# %% [markdown] lang="en"
# # Lesson 6. Redundancy
#
# Hold on to the edge of a table and do not move your hand. Your elbow can still go up and down. An arm with seven joints has one
# more than a pose needs, and that one is for us to use: keep away from limits, stay nimble, go round an obstacle. This lesson is about the
# joints you have to spare.
#
# At the end you will have made this picture. On the left one pose of the hand, and the elbow on its way round; on the right the solutions that 600
# searches found for this one pose, a colour for each kind.
#
# ![One pose of the hand, many elbows](../images/06_redundancy.png)

# %% [markdown] lang="zh"
# # 第 6 课　冗余
#
# 抓住桌子边，手别动：肘部还是能抬起、放下。七个关节的机械臂，比一个位姿所需要的多出一个，这一个就归我们支配：离限位远一点，
# 保持灵活，绕开障碍物。这一课讲怎样用好多出来的关节。
#
# 学完以后，你会画出下面这张图。左边，手的位姿不变，肘部绕着转；右边，是 600 次搜索为这一个位姿找到的解，一类一种颜色。
#
# ![手的位姿相同，肘部各不相同](../images/06_redundancy.png)

# %%
import matplotlib.pyplot as plt
import torch

import diffkin as dk
from diffkin import rotations
from diffkin.ik.solutions import sign_labels

torch.set_default_dtype(torch.float64)
robot = dk.load_robot("kuka_iiwa")
lower, upper = robot.lower, robot.upper
q_start = torch.tensor([0.4, 0.9, 0.2, -1.4, 0.3, 0.9, 0.1])
T_hand = robot.forward_kinematics(q_start)

# %% [markdown] lang="en"
# ## 1. The null space
#
# $J$ has six rows and seven columns. So there is a direction $n$ with $J n = 0$: joints that move, and a hand that does not. All such directions
# are the *null space* of $J$; an arm that has one is *redundant*. The singular value decomposition gives it: the rows of $V^T$ after
# the sixth.

# %% [markdown] lang="zh"
# ## 1. 零空间
#
# $J$ 有六行七列，所以存在一个方向 $n$，满足 $J n = 0$：关节在动，手不动。所有这样的方向合起来，就是 $J$ 的*零空间*；有零空间的机械臂是
# *冗余*的。用奇异值分解就能求出来：$V^T$ 第六行以后的各行。

# %%
J = robot.jacobian(q_start)
n = torch.linalg.svd(J)[2][-1]
print("n =", n.round(decimals=3).tolist())
print(f"the hand moves with {(J @ n).norm():.0e} m/s")

# %% [markdown] lang="en"
# ## 2. Along it, and off the table
#
# So let us walk: 40 steps of 0.1 rad, each along the null space of the place where we are. How well does the hand stay?

# %% [markdown] lang="zh"
# ## 2. 沿着它走，手却滑走了
#
# 那就走吧：走 40 步，每步 0.1 rad，每一步都沿着当前位置的零空间。手稳不稳？


# %%
def error_of(q):
    T = robot.forward_kinematics(q)
    turn = rotations.matrix_to_rotvec(T_hand[:3, :3] @ T[..., :3, :3].mT)
    return torch.cat((T_hand[:3, 3] - T[..., :3, 3], turn), dim=-1)


def walk(q, step, steps, correct):
    path, before = [q], None
    for _ in range(steps):
        n = torch.linalg.svd(robot.jacobian(q))[2][-1]
        if before is not None and n @ before < 0:
            n = -n  # the sign of n is arbitrary: go on in the same direction
        q, before = q + step * n, n
        if correct:
            for _ in range(2):
                q = q + torch.linalg.pinv(robot.jacobian(q)) @ error_of(q)
        path.append(q)
    return torch.stack(path)


drifted = walk(q_start, 0.1, 40, correct=False)
drift = error_of(drifted)[:, :3].norm(dim=-1)
for k in (1, 10, 20, 40):
    print(f"after {k:2d} steps the hand is {1000 * drift[k]:5.1f} mm away")

# %% [markdown] lang="en"
# The hand slips, by millimetres and then by centimetres, though every step had $J n = 0$ to the last digit. What just happened? $J n = 0$ holds at
# a **point**. A step has a length, and the solutions lie on a curve. How far a step goes wrong is the business of the second derivative,
# the *Hessian* $H = \partial J / \partial q$:
#
# $$e(q + h n) \approx -\tfrac12 h^2 \, H(n, n).$$

# %% [markdown] lang="zh"
# 手在滑，先是几毫米，后来到了厘米，尽管每一步的 $J n$ 都等于零，分毫不差。怎么回事？$J n = 0$ 只在**一点**上成立。一步是有长度的，而所有的解
# 落在一条曲线上。一步会偏多少，要由二阶导数来回答，也就是*黑塞张量* $H = \partial J / \partial q$：
#
# $$e(q + h n) \approx -\tfrac12 h^2 \, H(n, n).$$

# %%
H = robot.hessian(q_start)  # (6, 7, 7)
predictions = []
for h in (0.2, 0.1, 0.05, 0.025):
    predicted = -0.5 * h**2 * torch.einsum("rij,i,j->r", H, n, n)
    true = error_of(q_start + h * n)
    predictions.append((h, true.norm().item(), (true - predicted).norm().item()))
    print(f"h = {h:5.3f}: error {predictions[-1][1]:.2e}, prediction off by {predictions[-1][2]:.0e}")

# %% [markdown] lang="en"
# Half the step, a quarter of the error; and what the Hessian leaves over falls by eight. The cure needs no Hessian, only lesson 5: after each
# step, two of Gauss-Newton bring the hand back. That is a *self-motion* of the arm. How far may it go? Until the first joint is at
# its limit.

# %% [markdown] lang="zh"
# 步长减半，误差变成四分之一；而黑塞张量没有算进去的部分，变成八分之一。要纠正，并不需要黑塞张量，第 5 课就够了：每走一步，再用两步高斯-牛顿法把手
# 拉回来。这就是机械臂的*自运动*。能走多远？直到有一个关节碰到限位。

# %%
ways = []
for direction in (1.0, -1.0):
    path = walk(q_start, 0.1 * direction, 60, correct=True)
    inside = ((path >= lower) & (path <= upper)).all(dim=-1)
    ways.append(path[: int(inside.int().argmin()) if not inside.all() else len(path)])
self_motion = torch.cat((ways[1].flip(0), ways[0][1:]))
print(f"{len(self_motion)} configurations, the hand off by {error_of(self_motion).norm(dim=-1).max():.0e}")
print("joints move by", (self_motion.max(0).values - self_motion.min(0).values).round(decimals=2).tolist(), "rad")

# %% [markdown] lang="en"
# The fourth joint does not move at all: it alone sets how far the wrist is from the shoulder. So the elbow runs on a circle.
#
# ## 3. Two wishes at once
#
# A *null space projector* $N = I - J^+ J$ takes from any joint velocity $z$ what would move the hand, and leaves the rest. So the hand can
# have its own wish $e$, and the joints can have theirs:
#
# $$dq = J^+ e + N z.$$
#
# Take for $z$ the gradient of the manipulability $w$: keep the hand still, and become nimble. Autograd gives it, and so does a formula in
# which the Hessian comes back (with $\partial J / \partial q_k$ for its slices):
#
# $$\frac{\partial w}{\partial q_k} = w \operatorname{tr}\!\left(J^+ \frac{\partial J}{\partial q_k}\right).$$

# %% [markdown] lang="zh"
# 第四个关节一动不动：腕部到肩部的距离由它一个关节决定。所以肘部沿着一个圆走。
#
# ## 3. 两个愿望一起满足
#
# *零空间投影矩阵* $N = I - J^+ J$ 把任意关节速度 $z$ 里会让手动起来的部分去掉，留下其余。于是手可以有手的愿望 $e$，关节也可以有关节的愿望：
#
# $$dq = J^+ e + N z.$$
#
# $z$ 就取可操作度 $w$ 的梯度：手不动，同时变得更灵活。自动求导能给出它；也有一个解析式，黑塞张量又出现了
# （$\partial J / \partial q_k$ 是它的切片）：
#
# $$\frac{\partial w}{\partial q_k} = w \operatorname{tr}\!\left(J^+ \frac{\partial J}{\partial q_k}\right).$$

# %%
w = robot.manipulability(q_start)
by_autograd = dk.autograd.jacobian(robot.manipulability, q_start)
by_formula = w * torch.einsum("jr,rjk->k", torch.linalg.pinv(J), H)
print(f"two gradients differ by {(by_autograd - by_formula).abs().max():.0e}")

q = self_motion[len(self_motion) // 3]
nimble = [robot.manipulability(q).item()]
for _ in range(60):
    J = robot.jacobian(q)
    J_plus = torch.linalg.pinv(J)
    z = 20.0 * dk.autograd.jacobian(robot.manipulability, q)
    q = q + J_plus @ error_of(q) + (torch.eye(7) - J_plus @ J) @ z
    nimble.append(robot.manipulability(q).item())
along = robot.manipulability(self_motion)
print(f"manipulability from {nimble[0]:.4f} to {nimble[-1]:.4f}; the best on the whole self-motion: {along.max():.4f}")
print(f"the hand is off by {error_of(q).norm():.0e}")

# %% [markdown] lang="en"
# ## 4. Limits
#
# A limit is not a wish. The obvious way to deal with one is to solve without it and clamp what is outside afterwards.

# %% [markdown] lang="zh"
# ## 4. 限位
#
# 限位不是愿望，是硬性规定。最容易想到的做法是：先不管它，求出解来，再把超出的关节截断。

# %%
targets = robot.forward_kinematics(robot.sample(200, seed=3))
free = robot.replace(lower=torch.full((7,), -torch.pi), upper=torch.full((7,), torch.pi))
unbounded = dk.solve_ik(free, targets, seed=1)
clamped = unbounded.q.clamp(lower, upper)
outside = (clamped != unbounded.q).any(dim=-1) & unbounded.success
missed = (robot.forward_kinematics(clamped[outside])[:, :3, 3] - targets[outside, :3, 3]).norm(dim=-1)
within = dk.solve_ik(robot, targets)
print(f"{outside.sum()} of 200 were outside; clamped, they miss by {missed.median():.2f} m (median)")
print(f"limits inside every step: {within.success.sum()} of 200 reached")

# %% [markdown] lang="en"
# A clamped solution is no solution. And the ones that were outside had other solutions, within the limits: that is redundancy at work.
#
# ## 5. How many solutions?
#
# Start 600 times from random configurations, and ask for the same pose each time. Even an arm of six joints has a few solutions, eight
# at most if its wrist is like the KUKA's: shoulder to the front or to the back, elbow up or down, wrist flipped or not. Here these are the signs
# of the joints 2, 4 and 6. With seven joints each of the eight kinds is a whole curve of solutions, and the limits cut it into
# pieces, the *branches*.

# %% [markdown] lang="zh"
# 截断以后的解不再是解。而那些超出限位的目标，其实另有限位之内的解：这正是冗余的用处。
#
# ## 5. 有多少个解？
#
# 从随机位形出发 600 次，每次都要求同一个位姿。哪怕只有六个关节，解也不止一个；腕部像 KUKA 这样的，最多八个：肩朝前或朝后，肘在上或在下，
# 腕翻或不翻。在这里，它们就是关节 2、4、6 的符号。有七个关节时，这八类中的每一类都是一整条解的曲线，限位又把它截成几段，每一段叫一个*分支*。

# %%
guesses = robot.sample(600, seed=0)
found = dk.solve_ik(robot, T_hand.expand(600, 4, 4), q0=guesses, max_restarts=0)
solutions = found.q[found.success]
kind = sign_labels(solutions, (1, 3, 5))
print(f"{len(solutions)} of 600 descents arrived, the hand off by {error_of(solutions).norm(dim=-1).max():.0e}")
print("of each kind:", torch.bincount(kind, minlength=8).tolist())
spread = (solutions[:, None] - solutions[None]).norm(dim=-1).max()
print(f"two of them are {spread:.1f} rad apart")
nearest = (solutions - q_start).norm(dim=-1).argmin()
print("the one nearest to q_start:", solutions[nearest].round(decimals=2).tolist())

# %% [markdown] lang="en"
# "The" solution of a pose does not exist, and two of them must not be averaged: the mean of an arm with its elbow up and one with its elbow
# down is an arm whose hand is elsewhere. Remember that in lesson 8.

# %% [markdown] lang="zh"
# 一个位姿没有“唯一”的解，两个解也不能求平均：肘在上的手臂和肘在下的手臂一平均，手就到别处去了。到第 8 课还会用到这一点。

# %%
up, down = solutions[kind == kind[0]][0], solutions[kind != kind[0]][0]
mean_miss = error_of((up + down) / 2)[:3].norm().item()
print(f"the mean of two solutions misses by {mean_miss:.2f} m")

# %% [markdown] lang="en"
# ## 6. All of them, please
#
# An arm with six joints has finitely many solutions, so one may ask for all of them. `dk.ik.solve_all` starts from many places, keeps what is
# different, and sorts: the nearest to `q0` comes first. It also counts *whole turns*: where a joint's range is longer than a turn, $q$ and $q \pm 2\pi$ are two
# solutions, though they look the same.

# %% [markdown] lang="zh"
# ## 6. 全部都要
#
# 六个关节的机械臂只有有限个解，所以可以一次全要。`dk.ik.solve_all` 从许多地方出发，把不同的解留下来，再排序：离 `q0` 最近的排第一。它还把*整圈*算进去：
# 如果一个关节的行程超过一圈，$q$ 和 $q \pm 2\pi$ 就是两个解，虽然看上去一模一样。

# %%
six = dk.load_robot("xarm6")
q_six = torch.tensor([-2.6, -1.1, -1.9, -0.4, -1.0, 0.6])
answer = dk.ik.solve_all(six, six.forward_kinematics(q_six), q0=q_six, max_solutions=500)
every = answer.q[: answer.count]  # nearest to q_six first
branches = []
for solution in every:
    if all((solution - other).cos().min() < 0.9999 for other in branches):  # it looks like none before
        branches.append(solution)
branches = torch.stack(branches)
print(f"{len(every)} solutions within the limits; they look {len(branches)} ways")
print("away from q_six [rad]:", (branches - q_six).norm(dim=-1).round(decimals=2).tolist())
print("and the farthest of all:", (every[-1] - q_six).norm().round(decimals=2).item())
dk.plot(six, branches.flip(0))  # the nearest in full, the others as ghosts

# %% [markdown] lang="en"
# Which one should a robot take? Mostly the nearest to where it is: the first row. Exercise 6.6 shows why that takes care: the nearest row of a
# list need not lead to the nearest solution, once whole turns are allowed.

# %% [markdown] lang="zh"
# 机器人该选哪一个？多半是离当前位形最近的，也就是第一行。练习 6.6 会告诉你这里要当心什么：一旦允许整圈，表里最近的那一行，不一定通向最近的解。

# %% [markdown] lang="en"
# ## 7. The picture
#
# On the left the self-motion of section 2: one hand, the elbow on its circle. On the right the solutions of section 5, two joints of each, a
# colour for each kind, and the self-motion as a line along its branch. (Where two colours mix, two kinds differ in the wrist alone.)

# %% [markdown] lang="zh"
# ## 7. 画出来
#
# 左边是第 2 节的自运动：手不动，肘部在圆上走。右边是第 5 节的所有解，各画出其中两个关节，一类一种颜色；黑线是自运动，它沿着自己所在的分支走。（两种颜色混在一起的地方，那两类只是腕部不同。）

# %% tags=["opening"]
arm = [robot.link_names[k] for k in (0, 1, 2, 4, 6, 7)]
figure = plt.figure(figsize=(9, 4.4))
axes = figure.add_subplot(1, 2, 1, projection="3d")
shown = self_motion[:: max(1, len(self_motion) // 9)]
for index, way in enumerate(robot.forward_kinematics(shown, links=arm)[:, :, :3, 3]):
    axes.plot(*way.T.numpy(), "-o", color=plt.cm.viridis(index / len(shown)), lw=3, ms=4, alpha=0.8)
elbow = robot.forward_kinematics(self_motion, links=[arm[3]])[:, 0, :3, 3]
axes.plot(*elbow.T.numpy(), "k:", lw=2)
axes.scatter(*T_hand[:3, 3].numpy(), color="C3", s=70, depthshade=False, zorder=9)
axes.set(xlim=(-0.15, 0.6), ylim=(-0.25, 0.5), zlim=(0, 0.75), box_aspect=(1, 1, 1), title="one self-motion")
axes.set(xlabel="x [m]", ylabel="y [m]", zlabel="z [m]")
axes.locator_params(nbins=5)
axes.view_init(elev=15, azim=-15)

axes = figure.add_subplot(1, 2, 2)
axes.scatter(solutions[:, 2], solutions[:, 0], c=kind, cmap="tab10", s=12)
axes.plot(self_motion[:, 2], self_motion[:, 0], "k-", lw=1.5)
axes.set(xlabel="joint 3 [rad]", ylabel="joint 1 [rad]", title="solutions of one pose")
axes.grid(alpha=0.3)
figure.subplots_adjust(left=0.0, right=0.97, bottom=0.12, top=0.92, wspace=0.25)
plt.show()

# %% [markdown] lang="en"
# ## Summary
#
# - More joints than rows: the null space of $J$ moves the joints and not the hand, at first order. The Hessian says how much a step is off.
# - $dq = J^+ e + (I - J^+ J) z$: the hand first, and what the joints would like with the rest.
# - Limits belong inside the solver. A solution that is clamped afterwards misses its target.
# - A pose has many solutions, in branches, each of them a curve for seven joints. Never average two of them.
# - Six joints have finitely many solutions, and whole turns of them. `dk.ik.solve_all` gives all, the nearest first.
#
# ## Exercises
#
# **6.1** Return the null space projector of any Jacobian, also of one that has lost a rank.

# %% [markdown] lang="zh"
# ## 小结
#
# - 关节比行数多：沿 $J$ 的零空间，关节动而手不动，但只精确到一阶。一步偏多少，由黑塞张量决定。
# - $dq = J^+ e + (I - J^+ J) z$：先满足手，剩下的按关节的愿望来。
# - 限位要放在求解器里面考虑。求完再截断的解，到不了目标。
# - 一个位姿有许多个解，分成若干分支；七个关节时，每个分支都是一条曲线。绝不要把两个解平均。
# - 六个关节只有有限个解，再加上它们的整圈。`dk.ik.solve_all` 全部给出，最近的排第一。
#
# ## 练习
#
# **6.1** 返回任意雅可比矩阵的零空间投影矩阵，降秩的也要能算。


# %% tags=["exercise"]
def null_space_projector(J):
    raise NotImplementedError


dk.course.check("6.1", null_space_projector, seed=0, language="en")

# %% [markdown] lang="en"
# **6.2** Make one step with two wishes: the hand's, and the joints'.

# %% [markdown] lang="zh"
# **6.2** 走一步，同时满足两个愿望：手的，和关节的。


# %% tags=["exercise"]
def redundant_step(J, e, z):
    raise NotImplementedError


dk.course.check("6.2", redundant_step, seed=0, language="en")

# %% [markdown] lang="en"
# **6.3** Return the gradient of the manipulability from $J$ and the Hessian, without autograd.

# %% [markdown] lang="zh"
# **6.3** 由 $J$ 和黑塞张量求可操作度的梯度，不用自动求导。


# %% tags=["exercise"]
def manipulability_gradient(J, H):
    raise NotImplementedError


dk.course.check("6.3", manipulability_gradient, seed=0, language="en")

# %% [markdown] lang="en"
# **6.4** How much of a step may be made before a joint is at its limit? Shorten the step as a whole, so that it keeps its direction.

# %% [markdown] lang="zh"
# **6.4** 一步走到有关节碰到限位为止，能走几分之几？要整体缩短，不改变方向。


# %% tags=["exercise"]
def allowed_fraction(q, dq, lower, upper):
    raise NotImplementedError


dk.course.check("6.4", allowed_fraction, seed=0, language="en")

# %% [markdown] lang="en"
# **6.5** A planar arm of three links has exactly two solutions for a place and a direction of its hand. Give both.

# %% [markdown] lang="zh"
# **6.5** 三连杆的平面机械臂，给定末端的位置和方向，恰好有两个解。两个都要。


# %% tags=["exercise"]
def both_solutions(x, y, phi, lengths):
    raise NotImplementedError


dk.course.check("6.5", both_solutions, seed=0, language="en")

# %% [markdown] lang="en"
# **6.6** From a list of all solutions of a pose, take the one nearest to where the arm is. Whole turns are allowed, limits hold.

# %% [markdown] lang="zh"
# **6.6** 给出一个位姿的全部解，选出离机械臂当前位形最近的一个。允许整圈，但不能超出限位。


# %% tags=["exercise"]
def nearest_solution(solutions, q0, lower, upper):
    raise NotImplementedError


dk.course.check("6.6", nearest_solution, seed=0, language="en")
