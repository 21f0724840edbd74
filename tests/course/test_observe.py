"""What can be seen of an answer: value, second value, errors, changed inputs, gradients."""

from __future__ import annotations

import functools

import numpy as np
import torch

from diffkin.course.observe import fresh, observe

X = torch.tensor([1.0, 2.0], dtype=torch.float64)


def power(x, n):
    return x**n


def test_value_and_error() -> None:
    assert observe(lambda x: 2 * x, (X,)).value.tolist() == [2.0, 4.0]
    seen = observe(lambda x: x[5], (X,))
    assert (seen.error, seen.value) == ("IndexError", None) and "out of bounds" in seen.message
    assert observe(lambda x: {}, (X,)).value == {}


def test_second_call_gets_the_same_objects() -> None:
    def accumulating(x):
        (x.requires_grad_() ** 2).sum().backward()
        return x.grad

    seen = observe(accumulating, (X,))
    assert seen.value.tolist() == [2.0, 4.0]
    assert seen.again.tolist() == [4.0, 8.0]
    assert X.grad is None and not X.requires_grad


def test_changed_inputs_are_seen_and_stay_unchanged_outside() -> None:
    assert observe(lambda x: x.add_(1), (X,)).touched
    assert observe(lambda rows: rows.append(1), ([1, 2],)).touched
    assert not observe(lambda x: x + 1, (X,)).touched
    assert X.tolist() == [1.0, 2.0]


def test_gradients_of_a_weighted_sum() -> None:
    seen = observe(lambda x: x**2, (X,), gradient=True)
    assert seen.attached
    assert seen.gradients[0].tolist() == [1.0 * 2 * 1.0, 2.0 * 2 * 2.0]  # weights 1 and 2
    cut = observe(lambda x: torch.tensor((x**2).tolist()), (X,), gradient=True)
    assert not cut.attached and cut.gradients is None
    assert not observe(lambda x: x.detach().numpy(), (X,), gradient=True).attached
    unused = observe(lambda x, y: x, (X, X), gradient=True)
    assert unused.gradients[1].tolist() == [0.0, 0.0]


def test_copies_share_nothing() -> None:
    function = functools.partial(power, n=torch.tensor(2.0))
    copy = fresh(function)
    assert copy.func is power and copy.keywords["n"] is not function.keywords["n"]
    assert fresh([X])[0] is not X
    kept = observe(lambda x: np.asarray(x), (X,)).value
    assert isinstance(kept, np.ndarray) and kept.tolist() == [1.0, 2.0]
