# %% [markdown] lang="en"
# # Lesson 8. Supervised learning: a network that answers inverse kinematics
#
# Solvers iterate. A network that has seen a hundred thousand examples could answer at once. Examples cost nothing here: draw
# joint angles, let forward kinematics say where the hand is, turn the pair round. So this should be the easiest regression in
# the world. It is not, and the reason is worth knowing far beyond robot arms.
#
# At the end you will have made this picture. Both networks are of the same size and saw the same examples. The colour says how far
# from a target the tip ends up, for every target.
#
# ![How far two networks miss their targets](../images/08_supervised.png)

# %% [markdown] lang="zh"
# # 第 8 课　监督学习：回答逆运动学的网络
#
# 求解器要一步步迭代。一个见过十万个例子的网络，能不能一下子就给出答案？例子在这里是不要钱的：随机取关节角，用正运动学算出手在哪里，
# 再把这一对数反过来用。看起来，这该是世界上最容易的回归问题。其实不然，而其中的道理远不止对机械臂有用。
#
# 学完以后，你会画出下面这张图。两个网络一样大，见过的例子也一样。颜色表示：对每个目标，末端最后偏了多远。
#
# ![两个网络离目标有多远](../images/08_supervised.png)

# %%
import matplotlib.pyplot as plt
import torch
from matplotlib.colors import LogNorm
from torch import nn

import diffkin as dk
from diffkin.learning.inverse import IKProblem, make_network

torch.set_default_dtype(torch.float64)

# %% [markdown] lang="en"
# ## 1. Examples for nothing
#
# The arm of lesson 2: two links, a target $p$ in the plane, and the question which angles $q$ bring the tip there. In
# *supervised learning* one has pairs of a question and its answer, the *label*. We draw $q$ within the limits of the joints and
# compute $p$: a pair. A *held-out set* of 2000 pairs is put aside, which no training step sees.

# %% [markdown] lang="zh"
# ## 1. 不要钱的例子
#
# 还是第 2 课的机械臂：两根连杆，平面上一个目标 $p$，问关节角 $q$ 取多少，末端才能到那里。*监督学习*要有成对的问题和答案，答案叫做
# *标签*。我们在关节限位之内随机取 $q$，算出 $p$，就得到一对。另外留出 2000 对作为*留出集*，训练时一步也不用它。

# %%
robot = dk.load_robot("planar_2r")
l_1, l_2 = 0.5, 0.4


def tips(q):
    """(n, 2) angles to (n, 2) places of the tip [m]."""
    first, second = q[:, 0], q[:, 0] + q[:, 1]
    return torch.stack((l_1 * first.cos() + l_2 * second.cos(), l_1 * first.sin() + l_2 * second.sin()), dim=-1)


q_test = robot.sample(2000, seed=7)
p_test = tips(q_test)
print("a question", p_test[0], "and its label", q_test[0])
print("tips as the robot's file has them:", torch.allclose(p_test, robot.forward_kinematics(q_test)[:, :2, 3]))

# %% [markdown] lang="en"
# The network is small: five inputs (the place, and once more its direction and its distance, which spares the network from finding
# out what a root is), two hidden layers, and two outputs that tanh brings within the limits. Whatever it says can be
# done by the motors.

# %% [markdown] lang="zh"
# 网络很小：五个输入（位置本身，再加上方向和距离，省得网络自己去学怎么开方），两个隐藏层，两个输出，用 tanh 压到限位之内。
# 所以不管它说什么，电机都做得到。


# %%
class Answer(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(5, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 2)
        )

    def forward(self, p):
        distance = p.norm(dim=-1, keepdim=True).clamp(min=1e-6)
        inputs = torch.cat((2 * p, p / distance, 2 * distance), dim=-1)
        return robot.upper * self.layers(inputs).tanh()  # the limits of this arm are the same on both sides


def train(loss, steps=700, batch=256, width=64):
    """A trained network and the loss of every step; loss(answer, q, p) is one number."""
    torch.manual_seed(0)
    network, generator = Answer(width), torch.Generator().manual_seed(1)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    history = []
    for _ in range(steps):
        q = robot.sample(batch, seed=generator)
        p = tips(q)
        value = loss(network(p), q, p)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        schedule.step()
        history.append(value.item())
    return network, history


def miss(network, p=p_test):
    """How far the tip is from each target [m] when the arm does as the network says."""
    with torch.no_grad():
        return (tips(network(p)) - p).norm(dim=-1)


# %% [markdown] lang="en"
# ## 2. The obvious loss
#
# The *loss* says how wrong an answer is. With labels at hand the obvious one is the squared difference between the answer and
# the label.

# %% [markdown] lang="zh"
# ## 2. 理所当然的损失函数
#
# *损失函数*说的是一个答案错得有多厉害。既然手里有标签，理所当然就用答案与标签之差的平方。


# %%
def to_labels(answer, q, p):
    return (answer - q).square().mean()


regression, regression_loss = train(to_labels)
print(f"loss: {regression_loss[0]:.2f} at first, {sum(regression_loss[-50:]) / 50:.2f} at the end")
print(f"the tip misses by {1000 * miss(regression).median():.0f} mm in the median")
wide, wide_loss = train(to_labels, steps=250, width=128)
print(f"twice as wide: loss {sum(wide_loss[-50:]) / 50:.2f}, {1000 * miss(wide).median():.0f} mm")

# %% [markdown] lang="en"
# A quarter of a metre, with an arm of 90 cm. The loss fell a little and then stayed, and a larger network does not help. There is
# no noise in the data, every pair is exact. What just happened?
#
# Ask the solver for the answers to one question, from many starts:

# %% [markdown] lang="zh"
# 手臂一共才 90 cm，却偏了四分之一米。损失降了一点就再也不动了，换更大的网络也没有用。数据里没有任何噪声，每一对都是精确的。怎么回事？
#
# 让求解器从许多起点出发，回答同一个问题：

# %%
p = torch.tensor([0.45, 0.3])
target = torch.cat((p, torch.tensor([0.1])))  # this arm moves in a plane 0.1 m above its foot
result = dk.solve_ik(robot, dk.ik.PositionTask(None, target.expand(50, 3)), q0=robot.sample(50, seed=0))
found = result.q[result.success]
up, down = found[found[:, 1] > 0][0], found[found[:, 1] < 0][0]
mean = (up + down) / 2
said = regression(p[None])[0].detach()
for name, q in (("elbow one way", up), ("elbow the other way", down), ("their mean", mean), ("the network", said)):
    print(f"{name:20} q = ({q[0]:6.3f}, {q[1]:6.3f})   misses by {1000 * (tips(q[None])[0] - p).norm():5.1f} mm")

# %%
figure, axes = plt.subplots(figsize=(5, 4), layout="constrained")
for name, q, style in (("solution", up, "C0o-"), ("solution", down, "C2o-"), ("mean of both", mean, "C3o-")):
    elbow = l_1 * torch.stack((q[0].cos(), q[0].sin()))
    axes.plot(*torch.stack((torch.zeros(2), elbow, tips(q[None])[0]), dim=1), style, lw=3, label=name)
elbow = l_1 * torch.stack((said[0].cos(), said[0].sin()))
axes.plot(*torch.stack((torch.zeros(2), elbow, tips(said[None])[0]), dim=1), "k:", lw=3, label="network")
axes.plot(*p, "k*", ms=15)
axes.set(aspect="equal", xlabel="x [m]", ylabel="y [m]")
axes.legend()
plt.show()

# %% [markdown] lang="en"
# One question, two right answers, and in the training data both come, each half of the time. Among all single answers, the
# one with the least mean squared difference is their mean, the *conditional mean* $E[q \mid p]$. That is what a squared loss asks
# for, and the network learned it well. The mean of an elbow to the left and an elbow to the right is a straight arm, which is no
# answer at all.
#
# So the network is innocent, and so is the optimiser. The question was wrong. It always is when a problem has several right answers: the mean of
# "pass the tree on the left" and "pass it on the right" is the tree.
#
# ## 3. A way out: one answer only
#
# If every label has its elbow on the same side, there is one answer to each question, and its mean is itself.

# %% [markdown] lang="zh"
# 一个问题，两个正确答案，训练数据里两个都有，各占一半。如果只许给一个答案，均方差最小的就是两者的平均，即*条件均值*
# $E[q \mid p]$。平方损失要的就是它，网络也确实学会了。肘部朝左与肘部朝右一平均，成了一条伸直的手臂，根本不是答案。
#
# 所以网络没有错，优化器也没有错，是问题问错了。凡是正确答案不止一个的时候都会这样：“从树的左边绕”和“从树的右边绕”，平均一下就撞到树上。
#
# ## 3. 出路之一：只留一个答案
#
# 如果所有标签的肘部都在同一侧，每个问题就只有一个答案，平均值就是它自己。


# %%
def to_one_elbow(answer, q, p):
    return ((answer - q).square().sum(-1) * (q[:, 1] > 0)).mean()


one_elbow, _ = train(to_one_elbow)
print(f"misses by {1000 * miss(one_elbow).median():.0f} mm in the median")

# %% [markdown] lang="en"
# Ten times better with the same network. But who tells the elbows apart on an arm with seven joints, where lesson 9 will find
# dozens of branches? And near the joint limits only the elbow that we threw away may have an answer.
#
# ## 4. A better way out: let the arm be the judge
#
# What we want is not that label. We want the tip at the target, by **any** elbow. So give the answer to forward kinematics and measure
# there:
#
# $$L = \lvert \mathrm{FK}(q(p)) - p \rvert.$$
#
# FK is made of sines and cosines, so PyTorch goes back through it. With $u$ the unit vector from the target to the tip, the
# network receives the seed $J^T u$: the Jacobian of lesson 2, at work inside a training step. The labels are not
# used at all.

# %% [markdown] lang="zh"
# 同样的网络，好了十倍。可是七个关节的机械臂，谁来区分肘部的朝向？第 9 课会看到，那里有几十个分支。而且在关节限位附近，有解的也许恰恰是被我们
# 扔掉的那一侧。
#
# ## 4. 更好的出路：让手臂自己当裁判
#
# 我们要的其实不是那个标签，而是末端到达目标，肘部朝**哪边**都行。那就把答案交给正运动学，在那里量误差：
#
# $$L = \lvert \mathrm{FK}(q(p)) - p \rvert.$$
#
# 正运动学由正弦、余弦组成，PyTorch 能沿着它往回走。设 $u$ 是从目标指向末端的单位向量，网络收到的种子就是 $J^T u$：第 2 课的雅可比
# 矩阵，正在训练步骤里起作用。标签一个也没有用到。


# %%
def through_fk(answer, q, p):
    return (tips(answer) - p).norm(dim=-1).mean()


through, through_loss = train(through_fk)
elbows = through(p_test)[:, 1].detach()
print(
    f"misses by {1000 * miss(through).median():.0f} mm in the median, {1000 * miss(through).mean():.0f} mm in the mean"
)
print(f"elbow positive for {100 * (elbows > 0).double().mean():.0f} % of the targets")

# %% [markdown] lang="en"
# Nobody said which elbow to take, and the network decided for itself, here this way, there the other. Where the two regions meet
# it has to go from one answer to the other. A network is continuous, so in between it says neither: a seam of bad answers, which
# makes the mean error so much larger than the median. In the picture you see it.

# %% [markdown] lang="zh"
# 没有人规定肘部朝哪边，网络自己做了决定：这里朝这边，那里朝那边。两片区域交界的地方，它必须从一个答案走到另一个答案。网络是连续的，
# 于是中间给出的两个都不是：一条由坏答案组成的缝，平均误差因此远大于中位数。在图上看得很清楚。

# %% tags=["opening"]
x, y = torch.meshgrid(torch.linspace(-0.95, 0.95, 120), torch.linspace(-0.95, 0.95, 120), indexing="ij")
places = torch.stack((x, y), dim=-1).reshape(-1, 2)
reachable = (places.norm(dim=-1) < l_1 + l_2) & (places.norm(dim=-1) > 0.28)
figure, both = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained", sharey=True)
for axes, network, name in zip(both, (regression, through), ("trained on labels", "trained through FK")):
    error = 1000 * miss(network, places)
    error[~reachable] = float("nan")
    picture = axes.pcolormesh(x.numpy(), y.numpy(), error.reshape(x.shape).numpy(), norm=LogNorm(1, 1000))
    for angle in (0.3, 1.5, 2.4, 3.8, 5.2):
        p = 0.6 * torch.tensor([angle, angle - torch.pi / 2]).cos()
        q = network(p[None])[0].detach()
        elbow = l_1 * torch.stack((q[0].cos(), q[0].sin()))
        for style, thickness in (("k-", 5), ("w-", 2.5)):
            axes.plot(*torch.stack((torch.zeros(2), elbow, tips(q[None])[0]), dim=1), style, lw=thickness)
        axes.plot(*p, "r*", ms=12)
    axes.plot(0, 0, "ks", ms=8)
    axes.set(aspect="equal", xlabel="x [m]", title=name)
both[0].set_ylabel("y [m]")
figure.colorbar(picture, ax=both, label="miss [mm]", shrink=0.85)
plt.show()

# %% [markdown] lang="en"
# ## 5. What a network is good for
#
# Ten or twenty millimetres are no use for gripping. But the network need not have the last word: its answer is a **start** for
# the solver, which then has a short way to go. Held against two starts that cost nothing, with no restart allowed:

# %% [markdown] lang="zh"
# ## 5. 网络有什么用
#
# 一二十毫米的误差，抓不住东西。不过最后一句话不必由网络来说：把它的答案当作求解器的**起点**，剩下的路就很短了。拿它与两种不要钱的起点比一比，
# 不许重新开始：

# %%
targets = dk.ik.PositionTask(None, torch.cat((p_test, torch.full((len(p_test), 1), 0.1)), dim=-1))
starts = {
    "a random q": robot.sample(len(p_test), seed=3),
    "a bent elbow": torch.tensor([0.0, 1.0]).expand(len(p_test), 2),
    "the network": through(p_test).detach(),
}
table = {}
for name, q0 in starts.items():
    result = dk.solve_ik(robot, targets, q0=q0, max_restarts=0)
    table[name] = (result.success.double().mean().item(), result.iterations[result.success].double().mean().item())
    print(f"{name:14} success rate {100 * table[name][0]:5.1f} %   iterations {table[name][1]:4.1f}")

# %% [markdown] lang="en"
# That is an honest use: a first guess by the network, the last digits by the solver, and a success flag that nobody has to
# believe in, since forward kinematics checks it.
#
# The package has both networks for any robot and full poses. Here they are for an arm of three links, whose tip must also point the
# right way. A pose still has two answers, and the outcome is the same.

# %% [markdown] lang="zh"
# 这才是老实的用法：网络给出初值，求解器算出最后几位，是否成功由正运动学复核，不必凭信任。
#
# 这两种网络 diffkin 里都有，适用于任何机器人和完整的位姿。下面是三连杆机械臂，末端的朝向也有要求。一个位姿仍有两个解，结果也一样。

# %%
torch.set_default_dtype(torch.float32)  # the networks of the package compute in float32
package_miss = {}
for name in ("regression", "through_fk"):
    problem = IKProblem(make_network(dk.load_robot("planar_3r"), {"name": name, "width": 48, "depth": 1}))
    optimizer = torch.optim.Adam(problem.network.parameters(), lr=5e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(250):
        value = problem.loss(problem.network, *problem.batch(128, generator))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    package_miss[name] = problem.validate(problem.network)["position_m"]
    print(f"{name:11} misses by {1000 * package_miss[name]:4.0f} mm in the median")
torch.set_default_dtype(torch.float64)

# %% [markdown] lang="en"
# ## Summary
#
# - Pairs for inverse kinematics cost nothing: draw $q$, compute the pose, turn the pair round.
# - A squared loss asks for the conditional mean. Where a question has several right answers their mean is usually none.
# - Keep one answer of each question, or better: measure through forward kinematics and let any answer be right.
# - One continuous network cannot switch between branches without a seam. (Lesson 10 gives all answers instead of one.)
# - A network gives the first guess, the solver the last digits.
#
# ## Exercises
#
# **8.1** Write the loss through forward kinematics for a planar arm with any number of links.

# %% [markdown] lang="zh"
# ## 小结
#
# - 逆运动学的样本不要钱：随机取 $q$，算出位姿，再反过来用。
# - 平方损失要的是条件均值。一个问题有几个正确答案时，它们的平均往往不是答案。
# - 每个问题只留一个答案；更好的办法是通过正运动学量误差，哪个答案都算对。
# - 一个连续的网络在分支之间切换，必定留下一条缝。（第 10 课不再给一个答案，而是给出所有答案。）
# - 网络给初值，求解器给最后几位。
#
# ## 练习
#
# **8.1** 为任意多根连杆的平面机械臂写出通过正运动学的损失函数。


# %% tags=["exercise"]
def loss_through_fk(q, targets, lengths):
    raise NotImplementedError


dk.course.check("8.1", loss_through_fk, seed=0, language="en")

# %% [markdown] lang="en"
# **8.2** Bring the raw outputs of a network within joint limits that are not the same on both sides.

# %% [markdown] lang="zh"
# **8.2** 关节限位两侧不对称，把网络的原始输出压到限位之内。


# %% tags=["exercise"]
def within_limits(raw, lower, upper):
    raise NotImplementedError


dk.course.check("8.2", within_limits, seed=0, language="en")

# %% [markdown] lang="en"
# **8.3** Write down both answers of the arm with two links. Make a triangle of the two links and the line to the target.

# %% [markdown] lang="zh"
# **8.3** 用解析式写出两连杆机械臂的两个解。两根连杆与基座到目标的连线构成一个三角形。


# %% tags=["exercise"]
def both_elbows(p, lengths):
    raise NotImplementedError


dk.course.check("8.3", both_elbows, seed=0, language="en")

# %% [markdown] lang="en"
# **8.4** Where is the tip if the arm takes the mean of both answers? Look at the picture of section 2; there is a
# formula without any angle in it.

# %% [markdown] lang="zh"
# **8.4** 如果手臂取两个解的平均，末端在哪里？看看第 2 节的图：有一个式子，里面一个角也没有。


# %% tags=["exercise"]
def tip_of_the_mean(p, lengths):
    raise NotImplementedError


dk.course.check("8.4", tip_of_the_mean, seed=0, language="en")

# %% [markdown] lang="en"
# **8.5** Which gradient does the loss through forward kinematics hand to the output of the network? Compute it from the Jacobian.

# %% [markdown] lang="zh"
# **8.5** 通过正运动学的损失函数，传到网络输出端的梯度是什么？由雅可比矩阵算出来。


# %% tags=["exercise"]
def gradient_at_the_answer(J, tip, target):
    raise NotImplementedError


dk.course.check("8.5", gradient_at_the_answer, seed=0, language="en")
