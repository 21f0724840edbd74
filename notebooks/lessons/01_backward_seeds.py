# %% [markdown] lang="en"
# # Lesson 1. Backward seeds
#
# You know `loss.backward()`: it differentiates one number. A robot arm and an aircraft never have just one number, they
# have positions, directions and speeds. This lesson takes the step from one number to many: from the *gradient* to the
# *Jacobian*, with nothing but `backward`.
#
# At the end you will have made this picture: a circle of inputs, what a function makes of it, and what the function's
# Jacobian says it makes of it.
#
# ![A circle and its image](../images/01_backward_seeds.png)

# %% [markdown] lang="zh"
# # 第 1 课　反向种子
#
# `loss.backward()` 你已经会用了：它对一个数求导。可是机械臂和飞行器从来不只有一个数，而是位置、方向、速度。这一课只用
# `backward`，从一个数走到许多数：从*梯度*走到*雅可比矩阵*。
#
# 学完以后，你会画出下面这张图：一圈输入，函数把它变成什么样，雅可比矩阵又预言它变成什么样。
#
# ![一个圆和它的像](../images/01_backward_seeds.png)

# %%
import functools
import time

import matplotlib.pyplot as plt
import torch

import diffkin as dk

torch.set_default_dtype(torch.float64)

# %% [markdown] lang="en"
# ## 1. One number
#
# $y = (x + 2)^2 + 3$ at $x = 2$. While PyTorch computes $y = 19$ it writes down how: that record is the *computational
# graph*. `backward` walks it from the end to the beginning and leaves $dy/dx = 2 (x + 2) = 8$ in `x.grad`.

# %% [markdown] lang="zh"
# ## 1. 一个数
#
# 取 $y = (x + 2)^2 + 3$，$x = 2$。PyTorch 一边算出 $y = 19$，一边记下每一步是怎么算的，这份记录就是*计算图*。
# `backward` 从终点沿计算图走回起点，把 $dy/dx = 2 (x + 2) = 8$ 放进 `x.grad`。

# %%
x = torch.tensor([2.0], requires_grad=True)
y = (x + 2) ** 2 + 3
y.backward()
print(y.item(), x.grad.item())

# %% [markdown] lang="en"
# The graph may be long and its inputs large; as long as one number comes out, one walk is enough. Here $z$ is the *mean*
# over a matrix: $z = \operatorname{mean}(Y - X W)$. Of $X W$ each entry is a sum over the columns of $X$, so the
# gradient to $W$ is minus the sum of the columns of $X^T$, over the number of entries.

# %% [markdown] lang="zh"
# 计算图可以很长，输入可以很大；只要输出是一个数，走一遍就够了。下面的 $z$ 是整个矩阵的*均值*：
# $z = \operatorname{mean}(Y - X W)$。$X W$ 的每个元素都是沿 $X$ 的列求和，因此 $z$ 对 $W$ 的梯度，等于
# $X^T$ 各列之和除以元素个数，再取负号。

# %%
generator = torch.Generator().manual_seed(0)
X = torch.randn(10, 20, generator=generator)
Y = torch.randn(10, 5, generator=generator)
W = torch.randn(20, 5, generator=generator, requires_grad=True)
z = (Y - X @ W).mean()
z.backward()

by_hand = -X.sum(0)[:, None].expand(20, 5) / 50
print(tuple(W.grad.shape), (W.grad - by_hand).abs().max().item() < 1e-15)

# %% [markdown] lang="en"
# ## 2. Two numbers: `backward` asks for a seed
#
# $n = (m_0^2,\; m_1^3)$ at $m = (2, 3)$. Let us first do what worked so far.

# %% [markdown] lang="zh"
# ## 2. 两个数：`backward` 要一个种子
#
# 取 $n = (m_0^2,\; m_1^3)$，$m = (2, 3)$。先照前面的办法做。

# %%
m = torch.tensor([2.0, 3.0], requires_grad=True)
n = torch.stack((m[0] ** 2, m[1] ** 3))
try:
    n.backward()
except RuntimeError as error:
    no_seed = str(error)
    print("RuntimeError:", no_seed)

# %% [markdown] lang="en"
# Of two numbers PyTorch cannot know how much each should count. We have to say it: one weight $v_i$ for each output. That
# vector $v$ is the *seed*, and what comes back is
#
# $$\bar m_j = \sum_i v_i \, \frac{\partial n_i}{\partial m_j}.$$
#
# All the $\partial n_i / \partial m_j$ together, outputs in rows and inputs in columns, are the Jacobian $J$. So a backward
# pass with the seed $v$ gives $v^T J$, the *vector-Jacobian product*. Keep this sentence: the lesson has no other.
#
# The seed $(1, 1)$ counts both outputs once: $(2 m_0,\; 3 m_1^2) = (4, 27)$.

# %% [markdown] lang="zh"
# 输出有两个数，PyTorch 不知道各占多少分量，要由我们来说：每个输出给一个权重 $v_i$。这个向量 $v$ 就是*种子*，也就是
# `backward(gradient=v)` 里的 v。反向传播得到的是
#
# $$\bar m_j = \sum_i v_i \, \frac{\partial n_i}{\partial m_j}.$$
#
# 把所有 $\partial n_i / \partial m_j$ 排在一起，行对应输出，列对应输入，就是雅可比矩阵 $J$。所以，以 $v$ 为种子做一次反向传播，
# 得到的是 $v^T J$，即*向量-雅可比积*。请记住这句话：整节课讲的就是它。
#
# 种子 $(1, 1)$ 让两个输出各算一次：$(2 m_0,\; 3 m_1^2) = (4, 27)$。

# %%
n.backward(torch.tensor([1.0, 1.0]))
print(m.grad.tolist())

# %% [markdown] lang="en"
# And a single number? There the seed is 1, and PyTorch puts it in for us: `y.backward()` means `y.backward(torch.ones(1))`.
#
# ## 3. Twice through one graph
#
# $y = 2 x + x^2 + 3$ at $x = 3$, so $dy/dx = 2 + 2 x = 8$. On its way back a pass frees what the graph had stored. With
# `retain_graph=True` the graph stays, and a second pass can follow.

# %% [markdown] lang="zh"
# 那么只有一个数的时候呢？种子就是 1，PyTorch 替我们补上了：`y.backward()` 就是 `y.backward(torch.ones(1))`。
#
# ## 3. 同一张计算图走两遍
#
# 取 $y = 2 x + x^2 + 3$，$x = 3$，于是 $dy/dx = 2 + 2 x = 8$。反向传播边走边释放计算图里存的东西。加上
# `retain_graph=True`，计算图就会保留，可以再走一遍。

# %%
x = torch.tensor([3.0], requires_grad=True)
y = 2 * x + x**2 + 3
y.backward(retain_graph=True)
first = x.grad.item()
y.backward()
second = x.grad.item()
print(first, second)

# %% [markdown] lang="en"
# 16, not 8! `backward` does not **set** `x.grad`, it **adds** to it: this is *accumulation*. It is what you want when a big
# batch comes in parts, and it is why every training loop has its `zero_grad()`.
#
# The second pass did not retain the graph. A third one fails:

# %% [markdown] lang="zh"
# 是 16，不是 8！`backward` 不是给 `x.grad` **赋值**，而是往上**加**，这叫*累加*。把一个大批量拆成几份来算时，正需要这样；
# 也正因为如此，每个训练循环里都有 `zero_grad()`。
#
# 第二遍没有保留计算图，第三遍就会出错：

# %%
try:
    y.backward()
except RuntimeError as error:
    freed = str(error)
    print("RuntimeError:", freed.split(".")[0])

# %% [markdown] lang="en"
# ## 4. Two seeds, a whole Jacobian
#
# Now the classic exercise: $k = (x_0^2 + 3 x_1,\; 2 x_0 + x_1^2)$ at $x = (2, 3)$. With pencil and paper,
#
# $$J = \begin{pmatrix} 2 x_0 & 3 \\ 2 & 2 x_1 \end{pmatrix} = \begin{pmatrix} 4 & 3 \\ 2 & 6 \end{pmatrix}.$$
#
# The *unit seed* $(1, 0)$ gives $(1, 0)\, J$, and that is row 0; the seed $(0, 1)$ gives row 1. Let us just do it.

# %% [markdown] lang="zh"
# ## 4. 两个种子，一个完整的雅可比矩阵
#
# 下面是那道经典练习：$k = (x_0^2 + 3 x_1,\; 2 x_0 + x_1^2)$，$x = (2, 3)$。用笔算，
#
# $$J = \begin{pmatrix} 2 x_0 & 3 \\ 2 & 2 x_1 \end{pmatrix} = \begin{pmatrix} 4 & 3 \\ 2 & 6 \end{pmatrix}.$$
#
# *单位种子* $(1, 0)$ 给出 $(1, 0)\, J$，正是第 0 行；种子 $(0, 1)$ 给出第 1 行。动手试试。

# %%
x = torch.tensor([2.0, 3.0], requires_grad=True)
k = torch.stack((x[0] ** 2 + 3 * x[1], 2 * x[0] + x[1] ** 2))

k.backward(torch.tensor([1.0, 0.0]), retain_graph=True)
row_0 = x.grad.clone()
k.backward(torch.tensor([0.0, 1.0]))
row_1 = x.grad.clone()
wrong = torch.stack((row_0, row_1))
print(wrong)

# %% [markdown] lang="en"
# Row 0 is right. Row 1 should be $(2, 6)$ and is $(6, 9)$: both rows added up. We went straight into the accumulation of
# section 3. `x.grad` must be emptied between two seeds.

# %% [markdown] lang="zh"
# 第 0 行对了。第 1 行应该是 $(2, 6)$，却得到 $(6, 9)$：两行加在了一起。我们正好掉进了第 3 节说的累加。两个种子之间，
# 必须把 `x.grad` 清零。

# %%
k = torch.stack((x[0] ** 2 + 3 * x[1], 2 * x[0] + x[1] ** 2))
rows = []
for seed in torch.eye(2):
    x.grad.zero_()
    k.backward(seed, retain_graph=True)
    rows.append(x.grad.clone())
J = torch.stack(rows)
print(J)

# %% [markdown] lang="en"
# `torch.autograd.grad(k, x, seed)` does the same pass and **returns** the row instead of adding it up somewhere. With it the
# loop cannot go wrong, and that is how `diffkin` does it, for any function and any shape:

# %% [markdown] lang="zh"
# `torch.autograd.grad(k, x, seed)` 做的是同样的反向传播，但它把这一行**返回**给你，不往别处累加。用它来写循环就不会出错，
# `diffkin` 正是这样做的，适用于任何函数、任何形状：


# %%
def classic(x):
    return torch.stack((x[0] ** 2 + 3 * x[1], 2 * x[0] + x[1] ** 2))


point = torch.tensor([2.0, 3.0])
print(dk.autograd.jacobian(classic, point))

# %% [markdown] lang="en"
# ## 5. Three ways, three prices
#
# - **seeds**: one backward pass for each output. With $m$ outputs that is $m$ passes.
# - *reverse mode*: the same passes, all seeds side by side in one batch.
# - *forward mode*: not rows but columns: how do all outputs move when one input moves? With $n$ inputs that is $n$ passes.
#
# Many outputs and few inputs: go forward. Many inputs and one number, as when a network is trained: go backward. Look at
# the times for a function with 4 inputs and more and more outputs.

# %% [markdown] lang="zh"
# ## 5. 三种求法，三种代价
#
# - **种子**：每个输出做一次反向传播。有 $m$ 个输出，就要 $m$ 次。
# - *反向模式*：做同样的事，但把所有种子排成一批，一起传。
# - *前向模式*：不求行，求列：一个输入动一动，所有输出怎么动？有 $n$ 个输入，就要 $n$ 次。
#
# 输出多、输入少，用前向；输入多、输出只有一个数（训练网络就是这样），用反向。下面的函数有 4 个输入，输出越来越多，看看各用
# 多少时间。


# %%
def waves(x, A):
    return (A @ x).sin()


sizes = (2, 8, 32, 128)
costs = {method: [] for method in dk.autograd.METHODS}
for size in sizes:
    A = torch.randn(size, 4, generator=generator)
    f = functools.partial(waves, A=A)
    for method, times in costs.items():
        tries = []
        for _ in range(5):
            start = time.perf_counter()
            dk.autograd.jacobian(f, torch.ones(4), method=method)
            tries.append(time.perf_counter() - start)
        times.append(1e3 * min(tries))

figure, axes = plt.subplots(figsize=(5, 3.2), layout="constrained")
for method, times in costs.items():
    axes.loglog(sizes, times, "o-", label=method)
axes.set_xlabel("outputs m")
axes.set_ylabel("time [ms]")
axes.legend()
plt.show()

# %% [markdown] lang="en"
# ## 6. What a Jacobian is good for
#
# Near a point a smooth function is almost linear: $k(x + d) \approx k(x) + J d$. So the Jacobian should turn a small circle
# round $x$ into an ellipse that lies on the true image. It does, better the smaller the circle.

# %% [markdown] lang="zh"
# ## 6. 雅可比矩阵有什么用
#
# 光滑函数在一点附近差不多是线性的：$k(x + d) \approx k(x) + J d$。因此雅可比矩阵应当把 $x$ 周围的小圆变成一个椭圆，
# 并且贴着真正的像。果然如此，圆越小贴得越紧。

# %% tags=["opening"]
angle = torch.linspace(0, 2 * torch.pi, 100)
circle = torch.stack((angle.cos(), angle.sin()))
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for radius, color in ((0.4, "tab:blue"), (1.0, "tab:orange")):
    d = radius * circle
    image = torch.stack([classic(point + step) for step in d.T], dim=1)
    linear = classic(point)[:, None] + J @ d
    left.plot(*(point[:, None] + d), color=color)
    right.plot(*image, color=color, label=f"k(x + d), |d| = {radius}")
    right.plot(*linear, "--", color=color, label="k(x) + J d")
left.plot(*point, "ko")
right.plot(*classic(point), "ko")
left.set(xlabel="$x_0$", ylabel="$x_1$", title="inputs", aspect="equal")
right.set(xlabel="$k_0$", ylabel="$k_1$", title="outputs", aspect="equal")
right.legend(loc="center left", bbox_to_anchor=(1.05, 0.5))
plt.show()

# %% [markdown] lang="en"
# In lesson 2 the inputs are the joint angles of an arm and the outputs are where its hand is. Everything else stays as it
# is.
#
# ## Summary
#
# - A backward pass with the seed $v$ gives $v^T J$. For one number the seed is 1.
# - The unit seed $e_i$ gives row $i$ of the Jacobian; as many seeds as outputs give all of it.
# - `backward` frees the graph (keep it with `retain_graph=True`) and adds to `.grad` (empty it, or use
#   `torch.autograd.grad`).
# - $m$ outputs cost $m$ backward passes; $n$ inputs cost $n$ forward ones.
#
# ## Exercises
#
# Write the body of each function, with torch alone; then run the cell. `check` tries your function on several inputs and
# says what it thinks. `seed=` changes the inputs: take the last digits of your student number.
#
# **1.1** Return the gradient of a function of `x` that gives one number. Mind what happens on the second call.

# %% [markdown] lang="zh"
# 到了第 2 课，输入换成机械臂的关节角，输出换成手的位置，其余都不变。
#
# ## 小结
#
# - 以 $v$ 为种子的一次反向传播给出 $v^T J$。只有一个数时，种子就是 1。
# - 单位种子 $e_i$ 给出雅可比矩阵的第 $i$ 行；有几个输出就用几个种子，就得到整个矩阵。
# - `backward` 会释放计算图（要保留就写 `retain_graph=True`），还会往 `.grad` 上累加（要清零，或改用 `torch.autograd.grad`）。
# - $m$ 个输出要 $m$ 次反向传播；$n$ 个输入要 $n$ 次前向传播。
#
# ## 练习
#
# 只用 torch 写出每个函数的函数体，然后运行该单元格。`check` 会用几组输入试你的函数，并告诉你结果。`seed=` 用来换一组输入：
# 请填学号的末几位。
#
# **1.1** 函数 f 把 `x` 映成一个数，返回它的梯度。想一想第二次调用时会发生什么。


# %% tags=["exercise"]
def gradient(f, x):
    raise NotImplementedError


dk.course.check("1.1", gradient, seed=0, language="en")

# %% [markdown] lang="en"
# **1.2** Return the Jacobian, row by row from seeds. It need not be square.

# %% [markdown] lang="zh"
# **1.2** 用种子逐行求出雅可比矩阵并返回。它不一定是方阵。


# %% tags=["exercise"]
def jacobian_by_seeds(f, x):
    raise NotImplementedError


dk.course.check("1.2", jacobian_by_seeds, seed=0, language="en")

# %% [markdown] lang="en"
# **1.3** A function has two outputs. Return `a` times row 0 plus `b` times row 1 of its Jacobian, by one backward pass.

# %% [markdown] lang="zh"
# **1.3** 函数有两个输出。只做一次反向传播，返回雅可比矩阵第 0 行的 `a` 倍加第 1 行的 `b` 倍。


# %% tags=["exercise"]
def combination_of_rows(f, x, a, b):
    raise NotImplementedError


dk.course.check("1.3", combination_of_rows, seed=0, language="en")

# %% [markdown] lang="en"
# **1.4** The input moves with velocity `u`. Return how fast the outputs move: $J u$.

# %% [markdown] lang="zh"
# **1.4** 输入以速度 `u` 移动，返回各个输出的变化率 $J u$。


# %% tags=["exercise"]
def along_direction(f, x, u):
    raise NotImplementedError


dk.course.check("1.4", along_direction, seed=0, language="en")

# %% [markdown] lang="en"
# **1.5** Return the second derivative of a function of one number. What does the first pass need so that its result can be
# differentiated again? (And why does this cost more than two first derivatives?)

# %% [markdown] lang="zh"
# **1.5** 函数把一个数映成一个数，返回它的二阶导数。第一次反向传播要怎么写，结果才能再求导？
# （再想一想：为什么它比求两次一阶导数更费？）


# %% tags=["exercise"]
def second_derivative(f, x):
    raise NotImplementedError


dk.course.check("1.5", second_derivative, seed=0, language="en")
