# %% [markdown] lang="en"
# # Lesson 12. Flying
#
# The last lesson puts everything together. An aircraft is thrown into the air in any attitude, tumbling. A network shall bring it back to level, with weak
# motors that react late. Nobody shows the network the right torques; it learns because gradients flow back **through the whole flight**. Then it flies in PyBullet,
# which it has never seen.
#
# At the end you will have made this picture: the network at work.
#
# ![A trained network brings a tumbling quadrotor back to level in PyBullet](../images/12_flying.png)

# %% [markdown] lang="zh"
# # 第 12 课　飞行
#
# 最后一课把所有内容合在一起。一架飞行器以任意姿态翻滚着被抛到空中，由网络把它带回水平；电机力气小，反应还慢。没有人告诉网络正确的力矩
# 是多少，它能学会，是因为梯度**穿过整个飞行过程**传了回来。然后让它在从未见过的 PyBullet 里飞。
#
# 学完以后，你会画出下面这张图：网络在工作。
#
# ![训练好的网络在 PyBullet 里把翻滚的四旋翼带回水平](../images/12_flying.png)

# %%
import math

import matplotlib.pyplot as plt
import torch

import diffkin as dk
from diffkin import aircraft, simulation
from diffkin.learning import policy
from diffkin.simulation.policy_flights import fly_policy

torch.set_default_dtype(torch.float64)

# %% [markdown] lang="en"
# ## 1. A flight is a computational graph
#
# Begin with one axis: angle $a$, rate $v$, and an acceleration $u = -k\,a - c\,v$ against both, a *PD controller*. Fifty steps of it are fifty lines of
# arithmetic, one long graph from the gains $k$, $c$ to the sum of all $a^2$. One backward pass gives the gradient; this is *backpropagation through time*.

# %% [markdown] lang="zh"
# ## 1. 一次飞行就是一张计算图
#
# 先看一根轴：角度 $a$，角速度 $v$，再加上与两者都相反的加速度 $u = -k\,a - c\,v$，这就是 *PD 控制器*。走五十步，就是五十行算式，
# 一张长长的计算图，从增益 $k$、$c$ 一直到所有 $a^2$ 之和。反向传播一次就得到梯度，这叫*随时间反向传播*。


# %%
def fly_one_axis(gains, dt=0.04, steps=50):
    a, v, total = torch.tensor(1.0), torch.tensor(0.0), 0.0
    for _ in range(steps):
        u = -gains[0] * a - gains[1] * v
        v = v + dt * u
        a = a + dt * v
        total = total + a**2
    return total


gains = torch.tensor([4.0, 1.0], requires_grad=True)
fly_one_axis(gains).backward()
h = 1e-6 * torch.eye(2)
differences = [(fly_one_axis(gains.detach() + e) - fly_one_axis(gains.detach() - e)).item() / 2e-6 for e in h]
print("through 50 steps:", gains.grad.numpy().round(5), "  by differences:", [round(d, 5) for d in differences])

# %% [markdown] lang="en"
# ## 2. The whole aircraft
#
# Now three axes, with what makes it hard: the torque is limited (*saturation*), the motors follow a command only with a *motor lag* of 40 ms, and moments of inertia are off by up
# to 30 percent, differently in every flight. This *domain randomization* makes what is learned fit more than one body. What decides on the torque from what is seen (attitude, rate, torque) is a *policy*. The
# loss of a flight is the mean angle to level, a little for the rate, and the angle over the last half second once more.

# %% [markdown] lang="zh"
# ## 2. 整架飞行器
#
# 现在是三根轴，再加上真正的难处：力矩有上限（*饱和*）；电机跟随指令有 40 ms 的*电机滞后*；转动惯量最多差 30%，每次飞行都不同，
# 这种*域随机化*使学到的东西不只适合一个物体。由所见（姿态、角速度、力矩）决定力矩的，叫*策略*。一次飞行的损失是与水平姿态的平均夹角，
# 加上一点对角速度的惩罚，再加一遍最后半秒的夹角。

# %%
small = policy.trial_craft()
craft = policy.Craft(small.inertia, small.limit, lag=0.04, dt=0.04)
held_out = policy.held_out_starts(craft, 200)
print(f"{len(held_out.omega.T)} flights held out; limits {craft.limit.numpy().round(2)} N m")


def train(network, seconds, iterations, rate=1e-2, batch=64):
    """Adam through flights of this length; the losses."""
    optimizer = torch.optim.Adam(network.parameters(), rate)
    generator, losses = torch.Generator().manual_seed(0), []
    for _ in range(iterations):
        starts = policy.draw_starts(craft, batch, generator)  # new flights every time
        flown = policy.flight(network, starts, craft, round(seconds / craft.dt))
        loss = policy.cost(flown.angle, flown.omega, craft.dt).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


# %% [markdown] lang="en"
# ## 3. Short-sighted, on purpose
#
# A flight of 0.2 s is ten times cheaper than one of 2 s. How far we look ahead is the *horizon*. So let us train with a short one: surely, being nearer to level at every moment is what
# we want?

# %% [markdown] lang="zh"
# ## 3. 故意短视
#
# 飞 0.2 s 比飞 2 s 便宜十倍。向前看多远，叫*时域*。那就用短的来训练吧：每时每刻都离水平更近一点，不正是我们想要的吗？

# %%
policies = {"PD by hand": policy.make_policy("pd")}
policies["network, 0.2 s"] = policy.make_policy("network", {"width": 32}, seed=0).float()
short_losses = train(policies["network, 0.2 s"], 0.2, 120)
print(f"loss from {short_losses[0]:.2f} to {sum(short_losses[-10:]) / 10:.2f}: it did learn what it was told")


def judge(network):
    return policy.evaluate_policy(network, craft, held_out, seconds=4.0, judged=2.4)


with torch.no_grad():
    restless = policy.flight(policies["network, 0.2 s"], held_out, craft, 100)
print(f"but after 4 s a flight is still {math.degrees(restless.angle[-1].median()):.0f} deg off")
print(f"and turning at {restless.omega[-1].norm(dim=0).median():.1f} rad/s")

# %% [markdown] lang="en"
# It gets near quickly and then never comes to rest: it circles round level for ever. A torque has to pass the motors, become a rate, then an angle; a swing that takes longer
# than 0.2 s to come back costs nothing within 0.2 s. Nothing was wrong with the gradient; the question was wrong. With a horizon of 2 s, swinging costs:

# %% [markdown] lang="zh"
# 它很快靠近水平，却永远静不下来，一直绕着水平位置打转。力矩要先经过电机，再变成角速度，然后才变成角度；一次摆动如果要 0.2 s 以后才摆回来，
# 在 0.2 s 之内就不算代价。梯度没有错，错的是问题本身。时域取 2 s，摆动就要付出代价：

# %%
policies["network, 2 s"] = policy.make_policy("network", {"width": 32}, seed=0).float()
losses = train(policies["network, 2 s"], 2.0, 80)

scores = {name: judge(each) for name, each in policies.items()}
for name, score in scores.items():
    print(
        f"{name:15s} loss {score['cost']:.2f}, settles in {score['settle_mean_s']:.2f} s on average, "
        f"within 2 deg after 2.4 s: {100 * score['under_2_deg']:3.0f} %"
    )

figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
axes.plot(losses)
axes.axhline(scores["PD by hand"]["cost"], color="C1", label="PD by hand, held out")
axes.set(xlabel="iteration", ylabel="loss")
axes.legend()
plt.show()

# %% [markdown] lang="en"
# The time after which the angle stays below 2 degrees is the *settling time*. In less than a minute of training the network has found a manoeuvre: accelerate, coast, brake. A PD controller whose gains are
# trained in the same way, or a better classical law, is a strong rival: `scripts/train_attitude.py` runs that race, and a network on top of the classical law wins it.
#
# ## 4. Into PyBullet
#
# Now it has to fly where it was not trained: a quadrotor from its URDF, moved by Bullet, with Bullet's integrator and damping. Its inertia is another; the torques scale with it.

# %% [markdown] lang="zh"
# 夹角从此一直小于 2 度的时刻，叫*调节时间*。训练不到一分钟，网络就自己找到了一套动作：加速，滑行，刹车。如果 PD 控制器的增益也用同样的办法
# 训练，或者换一个更好的经典控制律，就是强劲的对手：这场比赛由 `scripts/train_attitude.py` 进行，胜者是在经典控制律之上再加修正的网络。
#
# ## 4. 飞进 PyBullet
#
# 现在让它在没有训练过的地方飞：由 URDF 载入的四旋翼，由 Bullet 驱动，用的是 Bullet 的积分器和阻尼。转动惯量也不同，力矩按比例缩放。

# %% tags=["opening"]
airframe = aircraft.load_airframe("quadrotor")
some = policy.FlightStarts(*(part[:, :8] for part in held_out))
goal = torch.eye(3).expand(8, 3, 3)
flights = {
    name: fly_policy(airframe, policies[name], craft, some, seconds=3.2) for name in ("PD by hand", "network, 2 s")
}
errors = {name: torch.rad2deg(flight.error(goal)) for name, flight in flights.items()}

figure = plt.figure(figsize=(10, 5), layout="constrained")
top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1.3))
best = flights["network, 2 s"]
tumbling = int(errors["network, 2 s"][:, 0].argmax())
with simulation.open_airframe(airframe) as flying:
    for axes, k in zip(top.subplots(1, 5), (0, 8, 14, 22, 60)):
        axes.imshow(simulation.picture(flying, best.R_ned_body[tumbling, k], size=(240, 200)))
        axes.set_axis_off()
        axes.set_title(f"{best.time[k]:.2f} s")
axes = bottom.subplots()
for (name, error), colour in zip(errors.items(), ("C1", "C0")):
    axes.plot(best.time, error.T, color=colour, lw=1)
    axes.plot([], [], color=colour, label=name)
axes.set(xlabel="time [s]", ylabel="angle to level [deg]", title="eight flights in PyBullet")
axes.legend()
plt.show()
for name, error in errors.items():
    print(
        f"{name:15s} after 2.4 s in PyBullet: {error[:, 60].mean():.2f} deg on average, {error[:, 60].max():.2f} at most"
    )

# %% [markdown] lang="en"
# The network flies in a simulator that it has never seen. That is the course: one seed, a Jacobian, an arm, an attitude, and in the end a network that has learned through all of it.
#
# ## Summary
#
# - A flight is a graph. One backward pass through all its steps gives the gradient to gains or weights.
# - What is trained is what was asked: with too short a horizon a policy never learns to come to rest.
# - Judge on flights held out, against a classical controller, and at last in another simulator.
#
# ## Exercises
#
# **12.1** Where is the torque of a motor with a lag after a step?

# %% [markdown] lang="zh"
# 网络在从未见过的仿真器里飞了起来。这就是整门课：一个种子，一个雅可比矩阵，一条机械臂，一个姿态，最后是穿过这一切学出来的网络。
#
# ## 小结
#
# - 一次飞行就是一张计算图。穿过所有步反向传播一次，就得到对增益或权重的梯度。
# - 问什么就学到什么：时域太短，策略永远学不会静下来。
# - 评判要用留出的飞行，要与经典控制器比，最后还要换一个仿真器。
#
# ## 练习
#
# **12.1** 电机有滞后，走完一步后力矩是多少？


# %% tags=["exercise"]
def motor_torque(torque, command, lag, dt):
    raise NotImplementedError


dk.course.check("12.1", motor_torque, seed=0, language="en")

# %% [markdown] lang="en"
# **12.2** Compute the loss of flights.

# %% [markdown] lang="zh"
# **12.2** 计算飞行的损失。


# %% tags=["exercise"]
def flight_loss(angle, omega, dt):
    raise NotImplementedError


dk.course.check("12.2", flight_loss, seed=0, language="en")

# %% [markdown] lang="en"
# **12.3** Return the gradient of a whole flight to the gains.

# %% [markdown] lang="zh"
# **12.3** 返回整个飞行过程对增益的梯度。


# %% tags=["exercise"]
def gain_gradient(step, state, gains, steps):
    raise NotImplementedError


dk.course.check("12.3", gain_gradient, seed=0, language="en")

# %% [markdown] lang="en"
# **12.4** When has a flight settled for good?

# %% [markdown] lang="zh"
# **12.4** 飞行从什么时候起真正稳定下来？


# %% tags=["exercise"]
def settling_time(angle, dt, bound):
    raise NotImplementedError


dk.course.check("12.4", settling_time, seed=0, language="en")
