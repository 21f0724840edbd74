"""Exercises of lesson 9: unsupervised learning on the solutions of a pose."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from diffkin.course.exercise import Exercise, Mistake, Text, like
from diffkin.ik import solutions
from diffkin.robot import Robot

__all__ = ["EXERCISES"]


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=_generator(seed), dtype=torch.float64)


def _posture_inputs(seed: int) -> list[tuple[Tensor]]:
    """Coordinates of a 7-joint arm: all eight sign patterns first, then random ones."""
    bits = torch.tensor([[k & 1, k >> 1 & 1, k >> 2 & 1] for k in range(8)], dtype=torch.float64)
    first = 0.1 * torch.arange(1.0, 57.0, dtype=torch.float64).reshape(8, 7).sin()
    first[:, 1::2] = (2 * bits - 1) * (0.5 + first[:, 1::2].abs())
    return [(first,), *((_draw(seed + k, 5 + k, 7),) for k in range(3))]


def _cluster_inputs(seed: int) -> list[tuple[Tensor, Tensor]]:
    """(clusters, labels): numbers of clusters and of true labels, with more clusters than labels, or fewer."""
    cases = [(torch.tensor([0, 0, 0, 1, 1, 2, 2, 2]), torch.tensor([0, 0, 1, 1, 1, 0, 0, 1]))]
    for k, (count, groups, kinds) in enumerate(((30, 4, 3), (40, 3, 5), (25, 5, 2))):
        generator = _generator(seed + 10 * k)
        labels = torch.randint(kinds, (count,), generator=generator)
        noise = torch.randint(2, (count,), generator=generator)
        clusters = (labels * 2 + noise) % groups
        clusters[:groups] = torch.arange(groups)
        cases.append((clusters, labels))
    return cases


def _purity(clusters: Tensor, labels: Tensor) -> float:
    return float(solutions.purity(clusters, labels))


def _mean_purity(clusters: Tensor, labels: Tensor) -> Tensor:
    """Every cluster counted once, however large it is."""
    parts = [labels[clusters == k].bincount() for k in clusters.unique()]
    return torch.stack([part.max() / part.sum() for part in parts]).double().mean()


def _seven_joints() -> Robot:
    """An arm with shoulder, elbow and wrist in the proportions of the KUKA, from Denavit-Hartenberg rows."""
    quarter = 0.5 * math.pi
    turns = (-quarter, quarter, quarter, -quarter, -quarter, quarter, 0.0)
    offsets = (0.36, 0.0, 0.42, 0.0, 0.4, 0.0, 0.126)
    rows = [[0.0, alpha, d, 0.0] for alpha, d in zip(turns, offsets)]
    return Robot.from_dh(torch.tensor(rows, dtype=torch.float64))


def _jacobian_inputs(seed: int) -> list[tuple[Tensor]]:
    first = torch.tensor([0.3, 0.7, -0.4, -1.2, 0.5, 0.9, 0.2], dtype=torch.float64)
    q = torch.cat(
        (first[None], first.sign() * (0.4 + 0.8 * torch.rand(3, 7, generator=_generator(seed), dtype=first.dtype)))
    )
    return [(J,) for J in _seven_joints().jacobian(q)]


def _null_direction(J: Tensor) -> Tensor:
    """By Cramer's rule: minors of J with alternating signs, made unit."""
    minors = [torch.linalg.det(torch.cat((J[:, :k], J[:, k + 1 :]), dim=1)) * (-1) ** k for k in range(J.shape[1])]
    found = torch.stack(minors)
    return found / found.norm()


def _either_sign(value: Tensor, right: Tensor, *_: object) -> bool:
    """Whether it is the right direction or the opposite one."""
    value = value.double()
    return bool(torch.minimum((value - right).abs().max(), (value + right).abs().max()) < 1e-7)


def _shares_inputs(seed: int) -> list[tuple[Tensor]]:
    """Postures off the origin, with some directions wider than others."""
    cases = []
    for k, (count, dof) in enumerate(((12, 2), (30, 4), (20, 7), (40, 3))):
        own = 3 if k == 0 else seed + 20 * k
        mixed = _draw(own, count, dof) @ _draw(own + 1, dof, dof)
        cases.append((mixed + 3 * _draw(own + 2, dof),))
    return cases


def _variances(q: Tensor) -> Tensor:
    return torch.linalg.svdvals(q - q.mean(0)).square()


def _shares(q: Tensor) -> Tensor:
    """As ``solutions.synergies`` gives them, which needs scikit-learn; a test holds the two together."""
    return _variances(q) / _variances(q).sum()


EXERCISES = (
    Exercise(
        number="9.1",
        title=Text("Which way do they bend?", "各朝哪边弯"),
        task=Text(
            "q: solutions of a 7-joint arm, shape (n, 7) [rad]. Return a whole number from 0 to 7 for each, shape (n,): 1 if\n"
            "the second joint is positive, plus 2 if the fourth is, plus 4 if the sixth is.",
            "q：七关节机械臂的解，形状为 (n, 7)，单位 rad。给每个解返回一个 0 到 7 的整数，形状为 (n,)：\n"
            "第二个关节为正加 1，第四个为正加 2，第六个为正加 4。",
        ),
        signature="sign_label(q)",
        inputs=_posture_inputs,
        reference=lambda q: solutions.sign_labels(q, solutions.SIGNS["kuka_iiwa"]),
        hint=Text(
            "Three columns, three comparisons, three weights. Which index does the second joint have in Python?",
            "三列、三次比较、三个权。第二个关节在 Python 里的下标是多少？",
        ),
        mistakes=(
            Mistake(
                "counted from one",
                Text(
                    "These are the third, fifth and seventh joint: Python counts from 0.",
                    "取的是第三、第五、第七个关节：Python 从 0 数起。",
                ),
                like(lambda right, q: solutions.sign_labels(q, (2, 4, 6))),
            ),
            Mistake(
                "first three joints",
                Text("These are the first three joints.", "取的是前三个关节。"),
                like(lambda right, q: solutions.sign_labels(q, (0, 1, 2))),
            ),
            Mistake(
                "weights turned round",
                Text("The weights 1, 2, 4 are in the opposite order.", "权 1、2、4 的次序反了。"),
                like(lambda right, q: solutions.sign_labels(q, (5, 3, 1))),
            ),
            Mistake(
                "negative counts",
                Text("The negative ones were counted, not the positive ones.", "数的是负的，不是正的。"),
                like(lambda right, q: 7 - right),
            ),
            Mistake(
                "number of positive joints",
                Text(
                    "That is how many of the three are positive. Different patterns get the same number.",
                    "这是三个关节中为正的个数。不同的弯法得到了同一个数。",
                ),
                like(lambda right, q: (q[:, 1::2] > 0).sum(1)),
            ),
        ),
    ),
    Exercise(
        number="9.2",
        title=Text("Purity", "纯度"),
        task=Text(
            "clusters, labels: whole numbers from 0, shape (n,). Return the purity, one float64: the share of points\n"
            "that carry the commonest label of their own cluster.",
            "clusters、labels：从 0 开始的整数，形状为 (n,)。返回纯度，一个 float64 的数：\n"
            "标签与所在簇的多数标签相同的点所占的比例。",
        ),
        signature="purity(clusters, labels)",
        inputs=_cluster_inputs,
        reference=_purity,
        tolerance=1e-6,
        hint=Text(
            "For each cluster: how many points carry its commonest label? Add these up and divide by how many there are.",
            "对每个簇：带多数标签的点有几个？全部加起来，再除以总点数。",
        ),
        mistakes=(
            Mistake(
                "clusters and labels exchanged",
                Text(
                    "That is the share of points in the largest cluster of their label. Purity goes the other way round.",
                    "这是每种标签落在自己最大簇里的比例。纯度要反过来算。",
                ),
                like(lambda right, clusters, labels: _purity(labels, clusters), 1e-6),
            ),
            Mistake(
                "numbers compared",
                Text(
                    "The numbers of clusters and labels were compared. A cluster may have any number: its name means nothing.",
                    "直接比较了簇号和标签。簇号可以是任意的，本身没有意义。",
                ),
                like(lambda right, clusters, labels: (clusters == labels).double().mean(), 1e-6),
            ),
            Mistake(
                "every cluster counted once",
                Text(
                    "That is the mean over clusters, so that a cluster of two points counts as much as one of a thousand.",
                    "这是对各簇求平均，于是两个点的簇与一千个点的簇分量相同。",
                ),
                like(lambda right, clusters, labels: _mean_purity(clusters, labels), 1e-6),
            ),
            Mistake(
                "number instead of share",
                Text("That is a number of points, not a share of them.", "这是点数，不是比例。"),
                like(lambda right, clusters, labels: right * len(labels), 1e-6),
            ),
            Mistake(
                "impurity",
                Text("That is the share of points in the wrong company.", "这是分错组的点所占的比例。"),
                like(lambda right, *_: 1 - right, 1e-6),
            ),
        ),
    ),
    Exercise(
        number="9.3",
        title=Text("The direction of self-motion", "自运动的方向"),
        task=Text(
            "J: Jacobian of a 7-joint arm, shape (6, 7), full rank. Return the unit vector of joint velocities, shape (7,),\n"
            "that leaves the hand where it is. Either sign is right.",
            "J：七关节机械臂的雅可比矩阵，形状为 (6, 7)，满秩。返回让手保持不动的关节速度方向，单位向量，形状为 (7,)。\n"
            "正负号都算对。",
        ),
        signature="self_motion_direction(J)",
        inputs=_jacobian_inputs,
        reference=_null_direction,
        accept=_either_sign,
        hint=Text(
            "J v = 0. The full singular value decomposition has seven right singular vectors but only six singular values.",
            "J v = 0。完整的奇异值分解有七个右奇异向量，却只有六个奇异值。",
        ),
        mistakes=(
            Mistake(
                "not of length 1",
                Text("The direction is right, the length is not 1.", "方向是对的，但长度不是 1。"),
                lambda value, right, J: (
                    torch.as_tensor(value).shape == right.shape
                    and bool((J @ torch.as_tensor(value)).norm() < 1e-8 * torch.as_tensor(value).norm())
                ),
            ),
            Mistake(
                "reduced decomposition",
                Text(
                    "J v is not 0: this belongs to the smallest of the six singular values. The reduced form leaves out the "
                    "seventh vector.",
                    "J v 不为 0：这个向量对应六个奇异值里最小的那个。精简的分解里没有第七个向量。",
                ),
                lambda value, right, J: (
                    torch.as_tensor(value).shape == right.shape
                    and _either_sign(torch.as_tensor(value), torch.linalg.svd(J)[2][5])
                ),
            ),
            Mistake(
                "column instead of row",
                Text(
                    "`torch.linalg.svd` returns V transposed: the right singular vectors are its rows.",
                    "`torch.linalg.svd` 返回的是 V 的转置：右奇异向量是它的行。",
                ),
                lambda value, right, J: (
                    torch.as_tensor(value).shape == right.shape
                    and _either_sign(torch.as_tensor(value), torch.linalg.svd(J)[2][:, -1])
                ),
            ),
            Mistake(
                "strongest direction",
                Text(
                    "In this direction the hand moves fastest: it belongs to the largest singular value.",
                    "沿这个方向手动得最快：它对应最大的奇异值。",
                ),
                lambda value, right, J: (
                    torch.as_tensor(value).shape == right.shape
                    and _either_sign(torch.as_tensor(value), torch.linalg.svd(J)[2][0])
                ),
            ),
            Mistake(
                "nothing moves",
                Text(
                    "No joint moves, so the hand rests. But a direction was asked for.",
                    "关节都不动，手当然不动。但这里要的是一个方向。",
                ),
                lambda value, right, J: bool(torch.as_tensor(value).double().abs().max() < 1e-9),
            ),
        ),
    ),
    Exercise(
        number="9.4",
        title=Text("Shares of the variance", "方差的比例"),
        task=Text(
            "q: postures, shape (n, k), n above k. Return the share of the variance of each principal component, shape (k,),\n"
            "the largest first.",
            "q：关节构型，形状为 (n, k)，n 大于 k。返回每个主成分所占的方差比例，形状为 (k,)，最大的在前。",
        ),
        signature="variance_shares(q)",
        inputs=_shares_inputs,
        reference=_shares,
        hint=Text(
            "Centre the postures. Variances are the squares of singular values (or eigenvalues of the covariance). Shares "
            "add up to 1.",
            "先把关节构型中心化。方差是奇异值的平方（也是协方差矩阵的特征值）。各比例之和为 1。",
        ),
        mistakes=(
            Mistake(
                "not centred",
                Text(
                    "The mean was not taken off, so the first component points to it and seems to explain everything.",
                    "没有减去均值，于是第一主成分指向均值，看上去什么都能解释。",
                ),
                like(lambda right, q: torch.linalg.svdvals(q).square() / torch.linalg.svdvals(q).square().sum()),
            ),
            Mistake(
                "singular values not squared",
                Text(
                    "These are shares of the singular values. The variance goes with their squares.",
                    "这是奇异值的比例。方差与奇异值的平方成正比。",
                ),
                like(lambda right, q: _variances(q).sqrt() / _variances(q).sqrt().sum()),
            ),
            Mistake(
                "smallest first",
                Text(
                    "The order is turned round. `eigvalsh` gives the smallest first.",
                    "次序反了。`eigvalsh` 是从小到大排的。",
                ),
                like(lambda right, q: right.flip(0)),
            ),
            Mistake(
                "not divided by the sum",
                Text("These are variances. A share is one of them over their sum.", "这是方差。比例是它除以总和。"),
                lambda value, right, q: (
                    like(lambda *_: _variances(q))(value, right)
                    or like(lambda *_: _variances(q) / (len(q) - 1))(value, right)
                    or like(lambda *_: _variances(q) / len(q))(value, right)
                ),
            ),
            Mistake(
                "joints instead of components",
                Text(
                    "These are shares of the joints themselves. Components are mixtures of joints.",
                    "这是各关节自己的方差比例。主成分是各关节的组合。",
                ),
                lambda value, right, q: (
                    like(lambda *_: q.var(0) / q.var(0).sum())(value, right)
                    or like(lambda *_: (q.var(0) / q.var(0).sum()).sort(descending=True).values)(value, right)
                ),
            ),
            Mistake(
                "running sum",
                Text(
                    "These are added up from the first on. The share of each alone was asked for.",
                    "这是从第一个开始的累计。要的是各自的比例。",
                ),
                like(lambda right, q: right.cumsum(0)),
            ),
        ),
    ),
)
