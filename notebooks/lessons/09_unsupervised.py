# %% [markdown] lang="en"
# # Lesson 9. Unsupervised learning: the shape of all solutions
#
# In lesson 8 one pose had two solutions, and that was enough to ruin a regression. A KUKA with its seven joints has endlessly many. Nobody
# has labelled them. This lesson gathers over a thousand solutions of a single pose and asks the data itself: are there groups,
# how many dimensions do they have, and what do the joints do together?
#
# At the end you will have made this picture: one hand, one pose, and an elbow that wanders; beside it all the other solutions, of which the
# wandering is one curve.
#
# ![An elbow wanders while the hand rests](../images/09_unsupervised.png)

# %% [markdown] lang="zh"
# # 第 9 课　无监督学习：所有解的形状
#
# 第 8 课里，一个位姿有两个解，就足以毁掉一次回归。七个关节的 KUKA 有无穷多个解，而且没有人给它们贴标签。这一课要收集同一个位姿的
# 一千多个解，然后问数据自己：它们分成几组？是几维的？各关节之间有什么默契？
#
# 学完以后，你会画出下面这张图：手的位姿不变，肘部却在游走；旁边是其余所有的解，这一段游走只是其中的一条曲线。
#
# ![手不动，肘部在游走](../images/09_unsupervised.png)

# %%
import matplotlib.pyplot as plt
import torch
from sklearn.cluster import KMeans

import diffkin as dk
from diffkin.ik import solutions

torch.set_default_dtype(torch.float64)

# %% [markdown] lang="en"
# ## 1. A thousand solutions
#
# The recipe is simple: start the solver from 1500 random places, keep what arrives, thin it out, and start once more around what
# was found. All of these are right answers to the same question.

# %% [markdown] lang="zh"
# ## 1. 一千个解
#
# 办法很简单：让求解器从 1500 个随机起点出发，保留到达的，去掉靠得太近的，再从已找到的解附近出发一次。这些全都是同一个问题的正确答案。

# %%
robot = dk.load_robot("kuka_iiwa")
q_first = torch.tensor([0.3, 0.7, -0.4, -1.2, 0.5, 0.9, 0.2])
T_target = robot.forward_kinematics(q_first)
q = solutions.all_solutions(robot, T_target, starts=1500, spacing=0.03)
off = (robot.forward_kinematics(q) - T_target).abs().max()
print(f"{len(q)} solutions, all of them of the same pose to {off:.0e}")
print(
    "joint by joint from", q.min(0).values.round(decimals=1).tolist(), "to", q.max(0).values.round(decimals=1).tolist()
)

# %% [markdown] lang="en"
# ## 2. The first tool from the box
#
# *Unsupervised learning* looks for order in data that have no labels. Its best known task is *clustering*: put together what belongs
# together. And its best known tool is *k-means*, which places $k$ centres and gives every point to the nearest. We suspect eight groups:
# shoulder, elbow and wrist can each bend one way or the other, $2^3 = 8$.
#
# For once we can check. The signs of $q_2$, $q_4$ and $q_6$ say which way the three bend. k-means is not told. The *purity* is the share of points that carry the
# commonest sign pattern of their cluster: 1 is perfect.

# %% [markdown] lang="zh"
# ## 2. 工具箱里的第一件工具
#
# *无监督学习*在没有标签的数据里寻找秩序。最常见的任务是*聚类*：把本来属于一起的放到一起。最常用的工具是 *k 均值*：放 $k$ 个中心，每个点归最近
# 的中心。我们猜有八组：肩、肘、腕各有两种弯法，$2^3 = 8$。
#
# 这一次恰好可以核对。$q_2$、$q_4$、$q_6$ 的符号说明三处各朝哪边弯，k 均值并不知道。*纯度*是与所在簇多数符号一致的点所占的比例：1 就是完美。

# %%
signs = solutions.sign_labels(q, (1, 3, 5))
print("solutions of each sign pattern:", signs.bincount().tolist())
kmeans_purity = {}
for k in (8, 16, 54):
    groups = torch.from_numpy(KMeans(k, n_init=3, random_state=0).fit_predict(q.numpy())).long()
    kmeans_purity[k] = solutions.purity(groups, signs)
    print(f"k-means with {k:2} centres: purity {kmeans_purity[k]:.2f}")

# %% [markdown] lang="en"
# Eight groups there are, every sign pattern occurs, and yet k-means with eight centres mixes them: two fifths of the points are in
# the wrong company. With more centres it gets pure only because it cuts everything to bits.
# What just happened? k-means believes that groups are **balls**. Let us ask the data whether they are.
#
# ## 3. How many dimensions?
#
# Take a solution and its ten nearest neighbours, and find the directions in which they spread: the *principal components*, singular vectors
# of the centred points. How many of them does it take for 95 % of the variance?

# %% [markdown] lang="zh"
# 八组确实存在，每种符号组合都有，可是放八个中心的 k 均值把它们混在了一起：五分之二的点进错了组。中心多了倒是变纯了，
# 但那只是因为切得够碎。怎么回事？k 均值相信每一组是一个**球**。
# 是不是球，问问数据。
#
# ## 3. 有几维？
#
# 取一个解和离它最近的十个邻居，看它们朝哪些方向散开：这些方向叫*主成分*，就是把点中心化以后求出的奇异向量。要占到方差的 95 %，需要几个？

# %%
near = q[(q - q[0]).norm(dim=1).argsort()[1:11]]
spread = torch.linalg.svdvals(near - near.mean(0)) ** 2
print("shares of the variance around the first:", (spread / spread.sum()).round(decimals=3).tolist())
dimension = solutions.local_dimension(robot, q)
print("local dimension, and how many points have it:", dict(enumerate(dimension.bincount().tolist())))
nullity, tangent = solutions.null_directions(robot, q)
print(f"7 joints - {torch.linalg.matrix_rank(robot.jacobian(q_first))} conditions = {nullity} freedom left")

# %% [markdown] lang="en"
# One, everywhere. The solutions do not fill balls, they lie on **curves** in the space of seven joints, a *manifold* of dimension 1. And
# kinematics says why: a pose is six conditions on seven angles. One freedom is left, and the arm may move along it while the hand rests. This
# is *self-motion*. Its direction is the null space of the Jacobian, $J \dot q = 0$. The data found out on their own what
# the formula knows.
#
# A curve that is longer than the gap to the next curve is cut into pieces by k-means, and pieces of different curves are glued together.
# So we tell the clustering what a neighbour is: near, **and** along the null space, **and** with no joint limit in between. Then
# whatever hangs together is a group, of any shape.

# %% [markdown] lang="zh"
# 处处都是一维。这些解不是一团一团的，而是落在七维关节空间里的**曲线**上，是一维的*流形*。运动学给出了原因：一个位姿对七个角提出六个条件，
# 还剩一个自由度，手臂可以沿着它运动而手不动。这就是*自运动*，它的方向是雅可比矩阵的零空间，$J \dot q = 0$。公式里写着的，数据自己也发现了。
#
# 如果一条曲线比它到下一条曲线的间隔还长，k 均值就会把它切成几段，又把不同曲线上的段粘到一起。所以要告诉聚类算法什么才算邻居：靠得近，
# **而且**顺着零空间的方向，**而且**中间没有关节限位。这样，凡是连得起来的就是一组，什么形状都行。

# %%
branches = solutions.cluster(robot, q, radius=0.2)
sizes = branches.bincount().sort(descending=True).values
branch_purity = solutions.purity(branches, signs)
print(f"{len(sizes)} groups, purity {branch_purity:.3f}; the largest:", sizes[:12].tolist())

# %% [markdown] lang="en"
# Pure, without having been told the signs. There are many more than eight, for two reasons: joint limits cut the curves, and here and there
# a thousand points leave a gap that looks like an end. Which is which? Walk, and see.
#
# ## 4. Walking along one curve
#
# Start at the solution we began with and follow the null space: a small step along the tangent, a Newton step back onto the pose, and so
# on in both directions until a joint is at its limit.

# %% [markdown] lang="zh"
# 没有告诉它符号，结果却是纯的。组数远多于八，原因有两个：一是关节限位把曲线切断了；二是一千个点还不够密，有的空隙看上去像是尽头。
# 哪些是真的尽头？走一走就知道。
#
# ## 4. 沿一条曲线走
#
# 从最初的那个解出发，沿零空间走：顺着切线走一小步，再用牛顿法回到位姿上。两个方向都这样走，直到某个关节到达限位。

# %%
(arc,), _ = solutions.trace_arcs(robot, T_target, q_first[None], step=0.05)
names = ["lbr_iiwa_link_0", *(f"lbr_iiwa_link_{k}" for k in (2, 4, 6, 7))]
frames = robot.forward_kinematics(arc.q, links=names)[..., :3, 3]  # base, shoulder, elbow, wrist, hand
shoulder, elbow, wrist, hand = frames[:, 1:].unbind(1)
print(f"{len(arc.q)} points; the hand moves by {1000 * (hand - hand[0]).norm(dim=1).max():.6f} mm")
print(f"the elbow by up to {1000 * (elbow - elbow[0]).norm(dim=1).max():.0f} mm")
for name, part in (("shoulder", shoulder), ("wrist", wrist)):
    distance = (elbow - part).norm(dim=1)
    print(f"elbow to {name}: {distance.min():.6f} to {distance.max():.6f} m")
print("q_4 along the way:", arc.q[:, 3].min().item(), "to", arc.q[:, 3].max().item())

# %% [markdown] lang="en"
# Do that from every group: where walks from two groups meet, they were one *branch* after all.

# %% [markdown] lang="zh"
# 从每一组出发都这样走：如果两组走到了一起，它们本来就是同一个*分支*。

# %%
arcs, on_arc = solutions.trace_arcs(robot, T_target, q, branches, step=0.05)
print(
    f"{len(sizes)} groups are parts of {len(arcs)} branches; no group mixes two: {solutions.purity(branches, on_arc):.3f}"
)
print("branches of each sign pattern:", [len(on_arc[signs == k].unique()) for k in range(8)])

# %% [markdown] lang="en"
# Between two branches lies a joint limit: to change over, the arm has to leave the pose. For a robot at work this matters.
#
# Look at the first walk once more. The elbow keeps its distance to the shoulder and to the wrist, and these two rest. So it runs on a circle about the line between them, and the
# angle at the elbow, $q_4$, does not change at all. The data had one dimension; here is its name: where on this circle is the elbow?

# %% [markdown] lang="zh"
# 两个分支之间隔着关节限位：要换过去，手臂必须离开这个位姿。对干活的机器人，这一点很要紧。
#
# 再看第一次走的那一段。肘部到肩部、到腕部的距离都不变，而这两处不动。所以肘部在绕肩腕连线的圆上运动，肘部的弯角 $q_4$ 始终不变。数据说有一维，
# 这一维的名字就是：肘部在圆上的什么位置？

# %% tags=["opening"]
figure = plt.figure(figsize=(10, 4.6), layout="constrained")
left = figure.add_subplot(1, 2, 1, projection="3d")
colors = plt.get_cmap("plasma")(torch.linspace(0, 0.9, len(arc.q)).numpy())
for k in range(0, len(arc.q), 14):
    left.plot(*frames[k].T.numpy(), "-", color=colors[k], lw=2.5)
left.plot(*elbow.T.numpy(), "k-", lw=1.5)
left.scatter(*hand[0].numpy(), color="k", s=50)
left.set(xlim=(-0.1, 0.8), ylim=(-0.45, 0.45), zlim=(0, 0.9), box_aspect=(1, 1, 1))
left.set(xlabel="x [m]", ylabel="y [m]", zlabel="z [m]")
left.set(xticks=(0, 0.4, 0.8), yticks=(-0.4, 0, 0.4), zticks=(0, 0.4, 0.8))
left.view_init(elev=20, azim=-60)
right = figure.add_subplot(1, 2, 2)
right.scatter(q[:, 0].numpy(), q[:, 2].numpy(), c=on_arc.numpy() % 20, cmap="tab20", vmax=19, s=8)
right.plot(arc.q[:, 0].numpy(), arc.q[:, 2].numpy(), "k-", lw=2, label="the curve on the left")
right.set(xlabel="$q_1$ [rad]", ylabel="$q_3$ [rad]", title="all solutions; a colour for each branch")
right.legend(loc="upper right")
plt.show()

# %% [markdown] lang="en"
# ## 5. What joints do together
#
# Now many poses instead of one. A hand writes on a table: fingers down, anywhere on a sheet of 20 by 30 cm. Solve them all from the same start and
# take the principal components of the **postures**. In the study of human hands they are called *synergies*: joints that always move together.

# %% [markdown] lang="zh"
# ## 5. 关节之间的默契
#
# 现在不是一个位姿，而是许多位姿。手在桌上写字：始终朝下，可以在 20 × 30 cm 的纸上任何一处。从同一个起点求解，再对所有**关节构型**求主成分。
# 研究人手的学者把它们叫做*协同*：总是一起运动的关节。

# %%
generator = torch.Generator().manual_seed(0)
T_table = torch.eye(4).repeat(300, 1, 1)
T_table[:, :3, :3] = torch.diag(torch.tensor([-1.0, 1.0, -1.0]))  # fingers down
T_table[:, :3, 3] = torch.tensor([0.4, -0.15, 0.15]) + torch.rand(300, 3, generator=generator) * torch.tensor(
    [0.2, 0.3, 0.0]
)
start = torch.tensor([0.0, 0.6, 0.0, -1.4, 0.0, 1.1, 0.0]).expand(300, 7)
written = dk.solve_ik(robot, T_table, q0=start, max_restarts=0)
postures = {"table": written.q[written.success], "random q": robot.sample(300, seed=1)}
print(f"success rate {100 * written.success.double().mean():.0f} %")
shares = {name: solutions.synergies(some)[0] for name, some in postures.items()}
for name, share in shares.items():
    print(f"{name:9} variance with 1, 2, ... components:", (100 * share.cumsum(0)).round(decimals=1).tolist(), "%")
components = solutions.synergies(postures["table"])[1]
for k in range(2):
    print(f"synergy {k + 1}:", components[k].round(decimals=2).tolist())

# %%
figure, axes = plt.subplots(figsize=(5.5, 3), layout="constrained")
for offset, (name, share) in zip((-0.2, 0.2), shares.items()):
    axes.bar(torch.arange(1, 8).numpy() + offset, 100 * share.numpy(), 0.4, label=name)
axes.set(xlabel="component", ylabel="share of the variance [%]")
axes.legend()
plt.show()

# %% [markdown] lang="en"
# Seven joints, and two numbers describe nearly all that they do: a table has two dimensions. One synergy swings the arm sideways, with the wrist turning
# back; in the other shoulder, elbow and wrist share the work of reaching out. For random postures there is no such order, every component is
# needed. So a synergy belongs to a task, not to an arm.
#
# ## Summary
#
# - One pose of a 7-joint arm has endlessly many solutions. They lie on curves: self-motion along the null space of the Jacobian.
# - k-means believes in balls. Look at the local dimension first, then say what a neighbour is.
# - Joint limits cut the curves into branches. To change the branch, the hand has to move.
# - Principal components of postures show which joints work together in a task.
#
# ## Exercises
#
# **9.1** Number the eight ways to bend shoulder, elbow and wrist.

# %% [markdown] lang="zh"
# 七个关节，两个数几乎就说清了它们的全部动作：桌面正好是二维的。一个协同让手臂左右摆动，腕部往回转；另一个里，肩、肘、腕分担向前伸的动作。
# 随机的关节构型没有这样的秩序，每个主成分都少不了。所以协同属于任务，而不属于手臂。
#
# ## 小结
#
# - 七关节机械臂的一个位姿有无穷多个解，它们落在曲线上：沿雅可比矩阵零空间的自运动。
# - k 均值相信球。先看局部维数，再规定什么算邻居。
# - 关节限位把曲线切成分支。要换分支，手就得动。
# - 关节构型的主成分说明在一项任务里哪些关节一起工作。
#
# ## 练习
#
# **9.1** 给肩、肘、腕的八种弯法编号。


# %% tags=["exercise"]
def sign_label(q):
    raise NotImplementedError


dk.course.check("9.1", sign_label, seed=0, language="en")

# %% [markdown] lang="en"
# **9.2** Write the purity of a clustering.

# %% [markdown] lang="zh"
# **9.2** 写出聚类的纯度。


# %% tags=["exercise"]
def purity(clusters, labels):
    raise NotImplementedError


dk.course.check("9.2", purity, seed=0, language="en")

# %% [markdown] lang="en"
# **9.3** In which direction may the joints move while the hand rests?

# %% [markdown] lang="zh"
# **9.3** 手不动时，各关节可以朝什么方向运动？


# %% tags=["exercise"]
def self_motion_direction(J):
    raise NotImplementedError


dk.course.check("9.3", self_motion_direction, seed=0, language="en")

# %% [markdown] lang="en"
# **9.4** Which share of the variance does each principal component have?

# %% [markdown] lang="zh"
# **9.4** 每个主成分各占方差的多大比例？


# %% tags=["exercise"]
def variance_shares(q):
    raise NotImplementedError


dk.course.check("9.4", variance_shares, seed=0, language="en")
