# %% [markdown] lang="en"
# # Lesson 5. The inverse kinematics race
#
# Here is where the hand should be: which joint angles put it there? For the KUKA nobody can simply write the answer down, so we
# search for it. You know the searching already; it is training, with seven parameters instead of millions. In this lesson you write four
# solvers, twenty lines each, and let them race against one another, against `dk.solve_ik`, and against PyBullet.
#
# At the end you will have made this picture: how many of fifty targets each solver has reached, after how many iterations. Mind the
# axis: each mark to the right is ten times as long.
#
# ![Targets reached over iterations](../images/05_inverse_kinematics.png)

# %% [markdown] lang="zh"
# # 第 5 课　逆运动学大赛
#
# 手应该到那里去：关节角取多少？对 KUKA 来说，答案没法直接写出来，只能搜索。怎样搜索你早就会了，这就是训练，只不过参数不是几百万个，
# 而是七个。这一课要写四个求解器，每个二十行，让它们互相比赛，再与 `dk.solve_ik` 和 PyBullet 比。
#
# 学完以后，你会画出下面这张图：五十个目标，每个求解器经过多少次迭代之后到达了几个。注意横轴：每往右一格，就是十倍。
#
# ![到达的目标数随迭代次数的变化](../images/05_inverse_kinematics.png)

# %%
import matplotlib.pyplot as plt
import torch

import diffkin as dk
from diffkin import rotations

torch.set_default_dtype(torch.float64)

# %% [markdown] lang="en"
# ## 1. What is to become zero?
#
# *Inverse kinematics* asks for $q$ with $T(q) = T^*$. To search, we need a measure of how wrong a $q$ is: the *residual*
#
# $$e(q) = \begin{pmatrix} p^* - p \\ \log(R^* R^T) \end{pmatrix},$$
#
# how far the hand has still to go, and the rotation vector that it has still to turn by, both in the axes of the base. These are
# the rows of the Jacobian of lesson 4, on purpose: a small step $dq$ moves the hand by $J\,dq$, so $e$ shrinks by that much.
# (Metres and radians are added up here as if they were alike. For an arm of a metre that does well.)
#
# All fifty targets are poses of configurations within the limits, so each of them has a solution. We work on all at once:
# `q` is `(50, 7)`.

# %% [markdown] lang="zh"
# ## 1. 要让什么变成零？
#
# *逆运动学*要求的是满足 $T(q) = T^*$ 的 $q$。要搜索，先得衡量一个 $q$ 错了多少，这就是*残差*：
#
# $$e(q) = \begin{pmatrix} p^* - p \\ \log(R^* R^T) \end{pmatrix},$$
#
# 即末端还要走多远，以及还要转过的旋转向量，都在基座坐标轴下。它与第 4 课雅可比矩阵的各行一一对应，这是有意安排的：一小步 $dq$ 使末端
# 移动 $J\,dq$，$e$ 就减小这么多。（这里把米和弧度当成一样的东西加在一起了。手臂长约一米时，这样做效果不错。）
#
# 五十个目标都是由限位之内的位形算出来的位姿，所以每一个都有解。我们一次处理全部目标：`q` 的形状是 `(50, 7)`。

# %%
robot = dk.load_robot("kuka_iiwa")
lower, upper = robot.lower, robot.upper
targets = robot.forward_kinematics(robot.sample(50, seed=1))
starts = 0.5 * robot.sample(50, seed=2)  # not too near the limits


def pose_error(T, T_target):
    R, R_target = T[..., :3, :3], T_target[..., :3, :3]
    turn = rotations.matrix_to_rotvec(R_target @ R.mT)
    return torch.cat((T_target[..., :3, 3] - T[..., :3, 3], turn), dim=-1)


def error_of(q, T_target):
    return pose_error(robot.forward_kinematics(q), T_target)


e = pose_error(robot.forward_kinematics(starts), targets)
print("errors at the start:", e.norm(dim=-1)[:5])

# %% [markdown] lang="en"
# ## 2. Gradient descent
#
# The loss is $\frac12 |e|^2$. Its gradient needs no new tool: $e$ changes by $-J\,dq$, so the gradient is $-J^T e$, which is one
# backward pass with the seed $e$. A step of *gradient descent* is
#
# $$q \leftarrow q + \eta\, J^T e.$$
#
# After each step we put the joints back within their limits. Which rate $\eta$? Let us be bold and take 1.

# %% [markdown] lang="zh"
# ## 2. 梯度下降
#
# 损失是 $\frac12 |e|^2$。求梯度不需要新工具：$e$ 的变化是 $-J\,dq$，所以梯度是 $-J^T e$，正是以 $e$ 为种子的一次反向传播。
# *梯度下降*的一步是
#
# $$q \leftarrow q + \eta\, J^T e.$$
#
# 每走一步，都把关节拉回限位之内。学习率 $\eta$ 取多大？大胆一点，取 1。


# %%
def gradient_descent(q, T_target, iterations=600, rate=0.5):
    history = []
    for _ in range(iterations):
        e = error_of(q, T_target)
        history.append(e.norm(dim=-1))
        downhill = (robot.jacobian(q).mT @ e[..., None])[..., 0]
        q = (q + rate * downhill).clamp(lower, upper)
    return q, torch.stack(history)


bold = gradient_descent(starts, targets, iterations=100, rate=1.0)[1]
careful = gradient_descent(starts, targets, iterations=100, rate=0.5)[1]
print("median error, rate 1.0:", [round(bold[k].median().item(), 3) for k in (0, 10, 50, 99)])
print("median error, rate 0.5:", [round(careful[k].median().item(), 3) for k in (0, 10, 50, 99)])

# %% [markdown] lang="en"
# With rate 1 nothing gets better, ever. What just happened? The loss is a valley, steep across and nearly flat along. Across, the
# curvature is the largest eigenvalue of $J^T J$; as soon as $\eta$ exceeds 2 divided by it, each step lands higher on the **other**
# side. So the steep direction dictates the rate, and along the flat one we creep: that is what rate 0.5 does. How uneven is it?

# %% [markdown] lang="zh"
# 学习率取 1，误差始终降不下来。怎么回事？损失像一条山谷，横着很陡，顺着几乎是平的。横向的曲率是 $J^T J$ 的最大特征值；$\eta$ 一旦超过
# 2 除以它，每一步都会落到**对面**更高的地方。所以学习率由最陡的方向决定，在平的方向上就只能慢慢爬：取 0.5 时就是这样。到底有多不均匀？

# %%
values = torch.linalg.svdvals(robot.jacobian(starts)) ** 2
print(f"largest rate that is stable: {(2 / values[:, 0]).median():.2f}")
print(f"steepest over flattest curvature: {(values[:, 0] / values[:, -1]).median():.0f}")

# %% [markdown] lang="en"
# ## 3. Adam
#
# *Adam*, from deep learning, gives every joint a rate of its own: it divides the mean of the gradient by the root of
# the mean of its square, both means fading. Both begin at zero and are too small at first; the division by $1 - \beta^k$ makes up for that.

# %% [markdown] lang="zh"
# ## 3. Adam
#
# 深度学习里的 *Adam* 让每个关节有自己的学习率：用梯度的均值除以梯度平方的均值的平方根，两个均值都是逐渐遗忘的。它们从零开始，
# 起初偏小，除以 $1 - \beta^k$ 就是为了补偿这一点。


# %%
def adam(q, T_target, iterations=600, rate=0.1):
    history, m, v = [], torch.zeros_like(q), torch.zeros_like(q)
    for k in range(1, iterations + 1):
        e = error_of(q, T_target)
        history.append(e.norm(dim=-1))
        gradient = -(robot.jacobian(q).mT @ e[..., None])[..., 0]
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        step = (m / (1 - 0.9**k)) / ((v / (1 - 0.999**k)).sqrt() + 1e-8)
        q = (q - rate * step).clamp(lower, upper)
    return q, torch.stack(history)


# %% [markdown] lang="en"
# ## 4. Gauss-Newton
#
# Both used only **which way is down**. But we know more: $J$ says what every joint does to all six numbers. So ask for the step that
# would make $e$ zero at once if the arm were linear, $J\,dq = e$. Six equations, seven unknowns: of all answers, take the
# shortest. That is what the *pseudo-inverse* $J^+$ gives, and the *Gauss-Newton method*:
#
# $$q \leftarrow q + J^+ e.$$

# %% [markdown] lang="zh"
# ## 4. 高斯-牛顿法
#
# 前两个方法只用到了**哪边是下坡**。其实我们知道得更多：$J$ 说明了每个关节对六个数各有什么影响。假如机械臂是线性的，哪一步能让 $e$ 一下子变成
# 零？解 $J\,dq = e$ 就行。六个方程，七个未知数，在所有解里取最短的那个。这正是*伪逆* $J^+$ 给出的，由此得到*高斯-牛顿法*：
#
# $$q \leftarrow q + J^+ e.$$


# %%
def gauss_newton(q, T_target, iterations=60):
    history = []
    for _ in range(iterations):
        e = error_of(q, T_target)
        history.append(e.norm(dim=-1))
        step = (torch.linalg.pinv(robot.jacobian(q)) @ e[..., None])[..., 0]
        q = (q + step).clamp(lower, upper)
    return q, torch.stack(history)


errors = gauss_newton(starts, targets)[1]
best = errors[-1].argmin()
print("one that arrives:", [f"{errors[k, best]:.0e}" for k in range(10)])
print("solved:", (errors[-1] < 1e-5).sum().item(), "of 50")

# %% [markdown] lang="en"
# Near the end the number of right digits doubles with every step. But half of the targets are never reached. Far from the
# solution the arm is not linear at all, and near a singularity $J^+$ asks for huge steps. Nearly stretched out, for example, for a hand
# that should come back by ten centimetres:

# %% [markdown] lang="zh"
# 接近终点时，每走一步，正确的位数就翻一番。可是有一半目标始终到不了：离解还远的时候，机械臂根本不是线性的；在奇异位形附近，$J^+$ 还会要求
# 巨大的步子。例如手臂几乎伸直，要让手退回来十厘米：

# %%
nearly_straight = torch.full((7,), 0.002)
e = torch.tensor([0.0, 0.0, -0.1, 0.0, 0.0, 0.0])
J = robot.jacobian(nearly_straight)
wild = torch.linalg.pinv(J) @ e
tame = torch.linalg.solve(J.T @ J + 0.01 * torch.eye(7), J.T @ e)
print(f"largest joint step: undamped {wild.abs().max():.0f} rad, damped {tame.abs().max():.4f} rad")

# %% [markdown] lang="en"
# ## 5. Levenberg-Marquardt
#
# The second number in that line comes from the *Levenberg-Marquardt method*. It charges for long steps: minimise
# $|J\,dq - e|^2 + \lambda |dq|^2$. With a small *damping* $\lambda$ that is Gauss-Newton, with a large one a short step of gradient
# descent:
#
# $$(J^T J + \lambda I)\, dq = J^T e.$$
#
# And it looks before it leaps: if the step made things worse, it is not taken, and $\lambda$ grows; if it helped, $\lambda$ falls.

# %% [markdown] lang="zh"
# ## 5. 莱文贝格-马夸特法
#
# 上面那行里的第二个数，用的就是*莱文贝格-马夸特法*（LM）。它不许步子太大：让 $|J\,dq - e|^2 + \lambda |dq|^2$ 最小。
# *阻尼* $\lambda$ 很小时，它就是高斯-牛顿法；很大时，就是一小步梯度下降：
#
# $$(J^T J + \lambda I)\, dq = J^T e.$$
#
# 而且它三思而后行：这一步若让误差变大，就不走，并增大 $\lambda$；若让误差变小，就走，并减小 $\lambda$。


# %%
def levenberg_marquardt(q, T_target, iterations=60):
    history, damping = [], torch.full(q.shape[:-1], 0.01)
    e = error_of(q, T_target)
    for _ in range(iterations):
        history.append(e.norm(dim=-1))
        J = robot.jacobian(q)
        A = J.mT @ J + damping[..., None, None] * torch.eye(7)
        step = torch.linalg.solve(A, (J.mT @ e[..., None])[..., 0])
        tried = (q + step).clamp(lower, upper)
        e_tried = error_of(tried, T_target)
        better = e_tried.norm(dim=-1) < e.norm(dim=-1)
        q = torch.where(better[..., None], tried, q)
        e = torch.where(better[..., None], e_tried, e)
        damping = torch.where(better, damping / 4, damping * 4).clamp(1e-9, 1e6)
    return q, torch.stack(history)


# %% [markdown] lang="en"
# ## 6. The race
#
# Every solver can get stuck, on a limit or in a *local minimum*, where no small step helps although a solution exists elsewhere. The
# cure is as simple as it is good: begin again from another random start. A *restart* costs iterations, so we count them all. A target
# counts as reached when $|e| < 10^{-5}$.

# %% [markdown] lang="zh"
# ## 6. 比赛
#
# 每个求解器都可能卡住：卡在限位上，或者陷入*局部极小值*，那里走哪一小步都没有用，而别处明明有解。办法简单而有效：换一个随机初值，
# 从头再来。每次*重启*都要花迭代次数，所以全都计入。$|e| < 10^{-5}$ 就算到达目标。

# %%
solvers = (gradient_descent, adam, gauss_newton, levenberg_marquardt)


def race(solver, rounds=3):
    """Iterations until each target is reached (inf if never), and how many restarts it took."""
    needed, restarts = torch.full((50,), torch.inf), torch.zeros(50)
    spent = torch.zeros(50)
    for attempt in range(rounds):
        left = needed.isinf().nonzero()[:, 0]
        if len(left) == 0:
            break
        q0 = starts[left] if attempt == 0 else 0.5 * robot.sample(len(left), seed=10 + attempt)
        errors = solver(q0, targets[left])[1]
        reached = errors < 1e-5
        first = torch.where(reached.any(0), reached.int().argmax(0).double(), torch.inf)
        needed[left] = spent[left] + first
        spent[left] += len(errors)
        restarts[left] = attempt
    return needed, restarts


results = {solver.__name__: race(solver) for solver in solvers}
ours = dk.solve_ik(robot, targets)
with dk.simulation.open_world() as world:
    theirs = dk.simulation.bullet_ik(dk.simulation.load(world, robot), targets, iterations=200)
theirs_reached = theirs.reached(1e-5, 1e-5)

table = {}
for name, (needed, restarts) in results.items():
    reached = needed.isfinite()
    table[name] = (
        (reached & (restarts == 0)).sum().item(),
        reached.sum().item(),
        needed[reached].median().item(),
        restarts.mean().item(),
    )
table["dk.solve_ik"] = (
    (ours.success & (ours.restarts == 0)).sum().item(),
    ours.success.sum().item(),
    ours.iterations.double().median().item(),
    ours.restarts.double().mean().item(),
)
print(f"{'of 50 targets':20s} {'first start':>11s} {'in all':>7s} {'iterations':>11s} {'restarts':>9s}")
for name, (first, solved, iterations, restarts) in table.items():
    print(f"{name:20s} {first:11d} {solved:7d} {iterations:11.0f} {restarts:9.2f}")
bullet_first = (theirs_reached & theirs.within_limits).sum().item()
print(f"{'PyBullet':20s} {bullet_first:11d} {'-':>7s} {'up to 200':>11s} {'-':>9s}")
print(f"PyBullet's answers outside the limits: {(~theirs.within_limits).sum().item()}")

# %% [markdown] lang="en"
# How to read it:
#
# - An iteration of gradient descent is cheaper than one of the others, for it solves no equations. But not a hundred times cheaper.
# - Gauss-Newton and Levenberg-Marquardt take the same steps when all goes well. The difference is the targets where it does not.
# - `dk.solve_ik` is the method of section 5. What it adds: better starts (from a stored table of poses, so most problems need only
#   a few iterations), and limits that are held inside the step instead of by clamping after it.
# - PyBullet starts once, from the middle, in its plain form is not told the limits, and does not say whether it succeeded. Check
#   what it returns.
#
# The *success rate* alone says little. Always ask: to which tolerance, within the limits or not, from how many starts?

# %% [markdown] lang="zh"
# 怎样读这张表：
#
# - 梯度下降的一次迭代比别的便宜，因为不用解方程。但没有便宜到百分之一。
# - 一切顺利时，高斯-牛顿法和 LM 走的步子是一样的。差别在于那些不顺利的目标。
# - `dk.solve_ik` 用的就是第 5 节的方法。它多了两样：更好的初值（取自一张存好的位姿表，所以多数问题只需几次迭代）；限位是在每一步之内
#   就考虑的，而不是走完再截断。
# - PyBullet 只从中间位形出发一次，这种最简单的用法没有把限位告诉它，它也不说自己成功了没有。它返回的结果必须复核。
#
# 单看*求解成功率*说明不了什么。一定要问：误差要求是多少？在不在限位之内？试了几个初值？

# %% tags=["opening"]
figure, axes = plt.subplots(figsize=(7.5, 4.4), layout="constrained")
for k, (name, (needed, _)) in enumerate(results.items()):
    ordered = needed[needed.isfinite()].sort().values.clamp(min=1)
    count = torch.arange(1, len(ordered) + 1)
    axes.step(ordered, count, where="post", lw=2, color=f"C{k}", label=name.replace("_", " "))
    axes.plot((ordered[-1], 2000), (count[-1], count[-1]), lw=2, color=f"C{k}")
ordered = ours.iterations[ours.success].double().sort().values
axes.step(ordered, torch.arange(1, len(ordered) + 1), "k--", where="post", lw=2, label="dk.solve_ik")
axes.plot((ordered[-1], 2000), (len(ordered), len(ordered)), "k--", lw=2)
axes.axhline(bullet_first, color="0.6", ls=":", lw=2, label="PyBullet, one start")
axes.set(xscale="log", xlim=(1, 2000), ylim=(0, 52), xlabel="iterations, restarts included", ylabel="targets reached")
axes.grid(alpha=0.3)
axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, fontsize=9)
plt.show()

# %% [markdown] lang="en"
# ## Summary
#
# - Inverse kinematics is training: a residual $e(q)$, a loss $\frac12 |e|^2$ with the gradient $-J^T e$, and steps.
# - Gradient descent is bound by the steepest direction and creeps along the flattest. Adam helps by a factor, not by a power.
# - Gauss-Newton, $q + J^+ e$, doubles the right digits near the end, and jumps wildly near singularities.
# - Levenberg-Marquardt charges for long steps and refuses bad ones. With restarts it reaches nearly every target.
#
# ## Exercises
#
# **5.1** Write the residual. What should it be when the hand is already turned right?

# %% [markdown] lang="zh"
# ## 小结
#
# - 逆运动学就是训练：残差 $e(q)$，损失 $\frac12 |e|^2$，它的梯度是 $-J^T e$，然后一步一步走。
# - 梯度下降受制于最陡的方向，在最平的方向上只能爬行。Adam 会快上几倍，但不会快上几个数量级。
# - 高斯-牛顿法 $q + J^+ e$ 接近终点时，每步让正确的位数翻番，在奇异位形附近却会乱跳。
# - LM 不许步子太大，坏的步子不走。加上重启，几乎每个目标都能到达。
#
# ## 练习
#
# **5.1** 写出残差。末端的朝向已经正确时，它应该是多少？


# %% tags=["exercise"]
def pose_error(T, T_target):
    raise NotImplementedError


dk.course.check("5.1", pose_error, seed=0, language="en")

# %% [markdown] lang="en"
# From here on the arm is any function: `f(q)` is a residual, with fewer rows than `q` or as many, that shall become zero. Get its
# Jacobian by seeds. (The sign is the usual one of optimisation: $f = p - p^*$, so a step goes **against** it.)
#
# **5.2** Write gradient descent on $\frac12 |f(q)|^2$.

# %% [markdown] lang="zh"
# 从这里开始，机械臂换成任意的函数：`f(q)` 是要变成零的残差，行数不多于 `q` 的长度。用种子求它的雅可比矩阵。
# （符号按优化里的习惯：$f = p - p^*$，所以要**逆着**它走。）
#
# **5.2** 写出对 $\frac12 |f(q)|^2$ 的梯度下降。


# %% tags=["exercise"]
def gradient_descent(f, q, rate, steps):
    raise NotImplementedError


dk.course.check("5.2", gradient_descent, seed=0, language="en")

# %% [markdown] lang="en"
# **5.3** Write Adam for the same loss.

# %% [markdown] lang="zh"
# **5.3** 对同样的损失写出 Adam。


# %% tags=["exercise"]
def adam(f, q, rate, steps):
    raise NotImplementedError


dk.course.check("5.3", adam, seed=0, language="en")

# %% [markdown] lang="en"
# **5.4** Write Gauss-Newton, for Jacobians that need not be square.

# %% [markdown] lang="zh"
# **5.4** 写出高斯-牛顿法，雅可比矩阵不一定是方阵。


# %% tags=["exercise"]
def gauss_newton(f, q, steps):
    raise NotImplementedError


dk.course.check("5.4", gauss_newton, seed=0, language="en")

# %% [markdown] lang="en"
# **5.5** Write Levenberg-Marquardt. Some of the starts are singular, and some far away. How you damp is up to you: it is right if it
# arrives.

# %% [markdown] lang="zh"
# **5.5** 写出 LM。有的初值是奇异位形，有的离解很远。怎样选阻尼由你决定：到得了就算对。


# %% tags=["exercise"]
def levenberg_marquardt(f, q, steps):
    raise NotImplementedError


dk.course.check("5.5", levenberg_marquardt, seed=0, language="en")
