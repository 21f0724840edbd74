# %% [markdown] lang="en"
# # Lesson 11. Calibration
#
# So far a gradient went to the joints. But lengths, axes and zero marks of a robot are numbers too, and the same backward pass gives the
# gradient to them. With it a robot that is built a little differently from its drawing can be found from measurements: supervised learning, with the robot
# itself in place of the network.
#
# At the end you will have made this picture: by how much an arm misses the places it believes to reach, before and after.
#
# ![How far an arm misses before and after calibration](../images/11_calibration.png)

# %% [markdown] lang="zh"
# # 第 11 课　标定
#
# 到目前为止，梯度都是对关节求的。可是机器人的长度、轴线、零位也都是数，同样的反向传播也能给出对它们的梯度。有了它，就能由测量数据
# 找出机器人与图纸的细微差别：这就是监督学习，只是网络换成了机器人本身。
#
# 学完以后，你会画出下面这张图：机械臂以为自己到了某处，实际差多少，标定前和标定后。
#
# ![标定前后机械臂的误差](../images/11_calibration.png)

# %%
import math
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch

import diffkin as dk
from diffkin import autograd, calibration, simulation

torch.set_default_dtype(torch.float64)

# %% [markdown] lang="en"
# ## 1. A gradient to the robot
#
# Take the planar arm of lesson 2, now with everything in it that may be wrong: the angle at which its base is screwed down, the zero marks of
# its joints, which are off by a *joint offset* each, and the three lengths. These seven numbers are $x$. What the drawing says is the *nominal model*, what the
# workshop built is the truth, and *calibration* finds $x$ from measured places of the tip.

# %% [markdown] lang="zh"
# ## 1. 对机器人求梯度
#
# 还是第 2 课的平面机械臂，这次把可能不准的都写进去：基座装歪的角度，各关节零位的偏差（即*关节零偏*），三段长度。这七个数就是 $x$。
# 图纸上写的是*名义模型*，车间里造出来的是真值，*标定*就是由末端位置的测量值求出 $x$。


# %%
def tip(x, q):
    """(n, 2) places of the tip: base angle, three offsets, three lengths in x; (n, 3) joint readings in q."""
    base, offsets, lengths = x[0], x[1:4], x[4:]
    along = base + (q + offsets).cumsum(dim=1)
    return torch.stack(((lengths * along.cos()).sum(1), (lengths * along.sin()).sum(1)), dim=1)


nominal = torch.tensor([0.0, 0.0, 0.0, 0.0, 0.5, 0.4, 0.3])
truth = torch.tensor([0.02, 0.01, -0.03, 0.02, 0.503, 0.398, 0.302])
generator = torch.Generator().manual_seed(0)
q_arm = 2.0 * torch.rand(20, 3, generator=generator) - 1.0
measured = tip(truth, q_arm) + 1e-4 * torch.randn(20, 2, generator=generator)  # 0.1 mm of noise

x = nominal.clone().requires_grad_()
first = tip(x, q_arm)[0]
rows = [torch.autograd.grad(first, x, seed, retain_graph=True)[0] for seed in torch.eye(2)]
print(torch.stack(rows).numpy().round(2), "<- two seeds: the first tip to base, offsets, lengths")

# %% [markdown] lang="en"
# Twenty measurements give a Jacobian of 40 rows and 7 columns. What is left between measured and predicted are the residuals $r$. As in lesson 5, a
# Gauss-Newton step solves $J\,\Delta x = r$ in the sense of least squares. We do it as many programs do, with $J$ by finite differences and a ready-made solver, and
# something goes wrong, on purpose.

# %% [markdown] lang="zh"
# 二十次测量给出一个 40 行 7 列的雅可比矩阵。测量值减预测值，剩下的就是残差 $r$。和第 5 课一样，高斯-牛顿法的每一步在最小二乘的意义下解
# $J\,\Delta x = r$。我们照许多程序的做法，$J$ 用有限差分求，方程交给现成的函数解，结果会出问题，这是故意的。


# %%
def linearised(x):
    residual = (measured - tip(x, q_arm)).flatten()
    return residual, autograd.jacobian(lambda y: tip(y, q_arm).flatten(), x)


residual, J = linearised(nominal)
steps = 1e-7 * torch.eye(7)
J_differences = torch.stack([(tip(nominal + h, q_arm) - tip(nominal, q_arm)).flatten() / 1e-7 for h in steps], dim=1)
naive = torch.linalg.lstsq(J_differences, residual).solution
print("base angle and offsets:", [f"{number:.2g}" for number in naive[:4].tolist()], "rad")
print("singular values:", [f"{number:.2g}" for number in torch.linalg.svdvals(J_differences).tolist()])

# %% [markdown] lang="en"
# Base angle and first offset come out huge, of opposite sign. The last singular value says why: it is nothing but rounding, and should be zero. Turning the base by some angle and the first joint
# back by the same changes **nothing** that can be measured. Such a direction has no *identifiability*; no amount of data helps. The way out is to leave out
# directions with a singular value of zero: then of all the $x$ that fit equally well, the one nearest to the drawing comes out.

# %% [markdown] lang="zh"
# 基座角和第一个零偏都大得离谱，而且符号相反。最后一个奇异值说明了原因：它只是舍入误差，本该是零。把基座转一个角，再让第一个关节反着转同样的角，
# 能测到的东西**毫无**变化。这样的方向没有*可辨识性*，数据再多也没有用。出路是去掉奇异值为零的方向：这样，在所有拟合得同样好的 $x$ 里，
# 得到的是离图纸最近的那一个。

# %%
x = nominal
for step in range(4):
    residual, J = linearised(x)
    print(f"step {step}: residual {1000 * residual.square().mean().sqrt():.4f} mm")
    U, S, Vh = torch.linalg.svd(J, full_matrices=False)
    keep = 1e-9 * S[0] < S
    x = x + Vh[keep].T @ ((U[:, keep].T @ residual) / S[keep])
print("found:", x.numpy().round(4))
print("true: ", truth.numpy().round(4))
print("base + first offset:", round((x[0] + x[1]).item(), 4), "true", round((truth[0] + truth[1]).item(), 4))

# %% [markdown] lang="en"
# Lengths and other offsets are right, base and first offset are only right **as a sum**. That is all anybody can know, and all anybody needs: the tip
# is predicted to 0.1 mm. So judge a calibration by the poses it predicts, never by single parameters.
#
# ## 2. A whole KUKA
#
# Now the arm of lesson 4: 7 offsets, 6 numbers for where each joint sits, 6 for the tool, 55 in all. PyBullet plays an arm that was built a little
# wrong (offsets of half a degree, places by 1 mm, directions by 0.3 degrees). It is measured in 50 poses with noise of 0.1 mm and 0.05 degrees; 200 more poses are
# **held out** for the judgement.

# %% [markdown] lang="zh"
# 长度和其余零偏都对，基座角和第一个零偏只有**加在一起**才对。谁也只能知道这么多，也只需要这么多：末端的预测误差是 0.1 mm。
# 所以，评判标定要看它预测的位姿，不要看单个参数。
#
# ## 2. 整台 KUKA
#
# 现在轮到第 4 课的机械臂：7 个零偏，每个关节的安装位姿 6 个数，工具 6 个数，一共 55 个。由 PyBullet 扮演一台造得略有偏差的机械臂
# （零偏半度，位置差 1 mm，方向差 0.3 度）。测 50 个位姿，噪声为 0.1 mm 和 0.05 度；另外 200 个位姿**留出**来，专门用于评判。

# %%
robot = dk.load_robot("kuka_iiwa")
tool = torch.eye(4)
tool[:3, 3] = torch.tensor([0.03, 0.02, 0.10])
model = calibration.calibration_model(robot, tool)
errors = simulation.ArmErrors(offset=math.radians(0.5), translation=1e-3, rotation=math.radians(0.3))
noise = simulation.MeasurementNoise("pose", 1e-4, math.radians(0.05))
folder = tempfile.TemporaryDirectory()
arm = simulation.make_arm(model, errors, Path(folder.name) / "built.urdf", seed=1)  # nobody looks into this file

q, q_held_out = robot.sample(50, seed=1), robot.sample(200, seed=2)
data = simulation.spoil(arm.measure(q), q, noise, torch.Generator().manual_seed(0))
true_poses = arm.measure(q_held_out)


def miss_mm(model, x):
    """(n, 3) from where the arm is to where the model believes it to be, over the poses held out [mm]."""
    return 1000 * (model.poses(x, q_held_out) - true_poses)[:, :3, 3]


def rms(miss):
    return miss.square().sum(1).mean().sqrt().item()


print(f"{model.size} parameters; off by {rms(miss_mm(model, model.zero())):.1f} mm rms before")

# %% [markdown] lang="en"
# ## 3. Fit, and know whether to believe it
#
# `fit_calibration` does what we did above, with the Jacobian in units of the noise. The noise also tells whether the model is right: squared residuals in
# units of the noise, summed and divided by the numbers measured minus the directions fitted, the *reduced chi-square*, must be near 1. We fit twice:
# with all parameters, and with the offsets alone.

# %% [markdown] lang="zh"
# ## 3. 拟合，以及该不该相信它
#
# `fit_calibration` 做的就是上面那些，只是雅可比矩阵以噪声为单位。噪声还能告诉我们模型对不对：残差以噪声为单位，平方求和，再除以
# 测得的个数减去拟合的方向数，这叫*约化卡方*，它应当接近 1。我们拟合两次：一次用全部参数，一次只用零偏。

# %%
fit = calibration.fit_calibration(model, data)
offsets = calibration.calibration_model(robot, tool, groups=["offsets"])
offsets_fit = calibration.fit_calibration(offsets, data)
misses = {
    "as drawn": miss_mm(model, model.zero()),
    "offsets alone": miss_mm(offsets, offsets_fit.x),
    "all parameters": miss_mm(model, fit.x),
}
for name, miss in misses.items():
    chi = {"offsets alone": offsets_fit, "all parameters": fit}.get(name)
    print(f"{name:15s} {rms(miss):8.3f} mm held out" + (f", reduced chi-square {chi.chi2_per_dof:.3g}" if chi else ""))
print(f"{fit.rank} of {model.size} directions can be told, {fit.steps} steps")

# %% tags=["opening"]
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
at = true_poses[:60, :2, 3]
for name, colour in (("as drawn", "C3"), ("all parameters", "C2")):
    ends = at + 0.005 * misses[name][:60, :2]  # [mm] to [m], and five times as long
    left.plot(torch.stack((at[:, 0], ends[:, 0])), torch.stack((at[:, 1], ends[:, 1])), color=colour, lw=2)
    left.plot([], [], color=colour, label=f"{name}: miss x 5" + ", under the dots" * (name != "as drawn"))
left.plot(*at.T, "k.", ms=4)
left.set(xlabel="x [m]", ylabel="y [m]", aspect="equal", title="60 poses from above")
left.legend(loc="upper right", fontsize="small")
bins = torch.logspace(-2.2, 1.7, 50)
for (name, miss), colour in zip(misses.items(), ("C3", "C1", "C2")):
    right.hist(miss.norm(dim=1), bins, color=colour, alpha=0.8, label=name)
right.set(xscale="log", xlabel="miss [mm]", ylabel="poses held out")
right.legend(loc="upper center")
plt.show()

# %% [markdown] lang="en"
# From more than a centimetre to less than the noise of a single measurement. The offsets alone make it look better, and the reduced chi-square of a thousand
# says aloud that the model is wrong. And 34 is what theory says: four numbers a revolute joint, six for the end.
#
# ## 4. How many poses?
#
# Calibration is learning, so it overfits like learning. Six poses are 36 numbers for 34 directions:

# %% [markdown] lang="zh"
# 误差从一厘米多降到比单次测量的噪声还小。只用零偏看起来也有改善，可是上千的约化卡方大声说：模型不对。34 也正是理论值：
# 每个转动关节 4 个数，末端 6 个数。
#
# ## 4. 要测多少个位姿？
#
# 标定就是学习，所以也会像学习一样过拟合。六个位姿是 36 个数，而方向有 34 个：

# %%
curve = []
for count in (6, 8, 12, 20, 35, 50):
    few = calibration.Measurements(q[:count], data.position[:count], data.rotation[:count], 1e-4, math.radians(0.05))
    found = calibration.fit_calibration(model, few)
    own = 0.1 * found.residuals[:, :3].square().sum(1).mean().sqrt().item()  # units of the noise to mm
    curve.append((count, own, rms(miss_mm(model, found.x))))
    print("{:3d} poses: {:.3f} mm at the poses fitted, {:.3f} mm at those held out".format(*curve[-1]))

# %% [markdown] lang="en"
# ## 5. A few bad measurements
#
# A reflection, a loose ball: now and then a measurement is off by centimetres, an *outlier*. Squares weigh it by the square of its distance. A *robust loss* grows
# more slowly and names the culprits:

# %% [markdown] lang="zh"
# ## 5. 几个坏数据
#
# 一次反光，一个松动的靶球：偶尔有一次测量差了几厘米，这就是*离群值*。平方损失按距离的平方看重它。*稳健损失函数*增长得慢，
# 还能把它们指出来：

# %%
bad = simulation.MeasurementNoise("pose", 1e-4, math.radians(0.05), outliers=0.08)
spoilt = simulation.spoil(arm.measure(q), q, bad, torch.Generator().manual_seed(3))
robust = {loss: calibration.fit_calibration(model, spoilt, loss=loss) for loss in ("squares", "cauchy")}
for loss, found in robust.items():
    named = int(found.outliers.sum())
    print(f"{loss:8s} {rms(miss_mm(model, found.x)):.3f} mm held out, {named} outliers named")

# %% [markdown] lang="en"
# At last, write the calibrated arm as a URDF. Any program can read it; we let PyBullet do so and compare.

# %% [markdown] lang="zh"
# 最后，把标定好的机械臂写成 URDF，任何程序都能读。我们让 PyBullet 读进去复核。

# %%
calibrated = Path(folder.name) / "calibrated.urdf"
calibration.write_calibrated_urdf(model, fit.x, calibrated, shapes=False)
print(simulation.compare_calibrated_file(calibrated, model, fit.x))
folder.cleanup()

# %% [markdown] lang="en"
# ## Summary
#
# - The same backward pass gives the gradient to lengths, axes and offsets. Calibration is supervised learning with a model of 55 parameters.
# - Some directions change nothing measured. Leave them out by the singular values; judge by poses held out, not by parameters.
# - The reduced chi-square is near 1 if model and noise are right. Too few poses overfit; outliers want a robust loss.
#
# ## Exercises
#
# **11.1** Return the Jacobian of all measurements to the parameters.

# %% [markdown] lang="zh"
# ## 小结
#
# - 同样的反向传播能给出对长度、轴线、零偏的梯度。标定就是监督学习，模型有 55 个参数。
# - 有些方向改变不了任何测量值。按奇异值去掉它们；评判要看留出的位姿，不看参数。
# - 模型和噪声都对时，约化卡方接近 1。位姿太少会过拟合；有离群值就用稳健损失函数。
#
# ## 练习
#
# **11.1** 返回全部测量值对参数的雅可比矩阵。


# %% tags=["exercise"]
def parameter_jacobian(f, x, q):
    raise NotImplementedError


dk.course.check("11.1", parameter_jacobian, seed=0, language="en")

# %% [markdown] lang="en"
# **11.2** Of all steps that fit equally well, return the smallest.

# %% [markdown] lang="zh"
# **11.2** 在所有拟合得同样好的步长里，返回最小的那一个。


# %% tags=["exercise"]
def smallest_step(J, r):
    raise NotImplementedError


dk.course.check("11.2", smallest_step, seed=0, language="en")

# %% [markdown] lang="en"
# **11.3** Which part of a change of the parameters does no measurement see?

# %% [markdown] lang="zh"
# **11.3** 参数的改变量中，哪一部分是任何测量都看不见的？


# %% tags=["exercise"]
def unseen_part(J, change):
    raise NotImplementedError


dk.course.check("11.3", unseen_part, seed=0, language="en")

# %% [markdown] lang="en"
# **11.4** Compute the reduced chi-square. What is it divided by?

# %% [markdown] lang="zh"
# **11.4** 求约化卡方。它除以的是什么？


# %% tags=["exercise"]
def reduced_chi_square(residuals, sigma, rank):
    raise NotImplementedError


dk.course.check("11.4", reduced_chi_square, seed=0, language="en")
