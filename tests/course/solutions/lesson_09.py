"""Right answers of lesson 9."""

import torch

torch.set_default_dtype(torch.float64)


def sign_label(q):
    return (q[:, [1, 3, 5]] > 0).long() @ torch.tensor([1, 2, 4])


def purity(clusters, labels):
    common = sum(labels[clusters == k].bincount().max() for k in clusters.unique())
    return (common / len(labels)).double()


def self_motion_direction(J):
    return torch.linalg.svd(J)[2][-1]


def variance_shares(q):
    variances = torch.linalg.svdvals(q - q.mean(0)) ** 2
    return variances / variances.sum()
