"""Layers: features in closed form, and networks side by side against each of them alone."""

import torch
from torch.nn.functional import silu

from diffkin.learning.inverse.layers import StackedMLP, with_waves


def test_waves_by_hand():
    x = torch.tensor([[0.5, -1.0]])
    expected = [0.5, -1.0]
    for angle in (1.5, 3.0):
        expected += [torch.sin(torch.tensor(angle * v)) for v in (0.5, -1.0)]
        expected += [torch.cos(torch.tensor(angle * v)) for v in (0.5, -1.0)]
    torch.testing.assert_close(with_waves(x, 2)[0], torch.tensor([float(v) for v in expected]))
    assert torch.equal(with_waves(x, 0), x)


def test_stacked_networks_are_each_alone():
    torch.manual_seed(0)
    stack = StackedMLP(3, 4, 2, 8, 2)
    x = torch.randn(3, 5, 4)
    together = stack(x)
    assert together.shape == (3, 5, 2)
    for k in range(3):
        weights, biases = [w[k] for w in stack.weights], [b[k] for b in stack.biases]
        h = silu(x[k] @ weights[0] + biases[0])
        for weight, bias in zip(weights[1:-1], biases[1:-1]):
            h = h + silu(h @ weight + bias)
        torch.testing.assert_close(together[k], h @ weights[-1] + biases[-1])
        torch.testing.assert_close(stack.single(k, x[k]), together[k])


def test_without_gain_a_network_starts_at_its_last_bias():
    stack = StackedMLP(2, 3, 4, 8, 1, gain=0.0)
    with torch.no_grad():
        stack.biases[-1].fill_(0.7)
    assert torch.equal(stack(torch.randn(2, 6, 3)), torch.full((2, 6, 4), 0.7))
