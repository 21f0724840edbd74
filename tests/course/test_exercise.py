"""Texts in two languages, and what counts as the same answer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from diffkin.course.exercise import Text, as_tensor, check_language, close, like
from diffkin.errors import UnknownNameError


def test_text_in_both_languages() -> None:
    text = Text("seed", "种子")
    assert (text.of("en"), text.of("zh")) == ("seed", "种子")
    with pytest.raises(UnknownNameError, match="'en', 'zh'"):
        check_language("de")


def test_numbers_arrays_and_lists_are_tensors() -> None:
    assert as_tensor([[1.0, 2.0], [3.0, 4.0]]).dtype == torch.float64
    assert as_tensor(np.float32(1.5)).dtype == torch.float32
    assert as_tensor([torch.ones(2), torch.zeros(2)]).shape == (2, 2)
    assert as_tensor(True).dtype == torch.bool
    for nothing in (None, "1", {1: 2}, object(), [[1.0], [2.0, 3.0]], [torch.ones(2), torch.ones(3)], ["a"]):
        assert as_tensor(nothing) is None


def test_close_is_relative_to_the_largest_number_above_one() -> None:
    assert close(torch.tensor([1e6, 0.0]), torch.tensor([1e6, 1e-3]))
    assert not close(torch.tensor([0.5, 0.0]), torch.tensor([0.5, 1e-7]))
    assert not close(torch.ones(2), torch.ones(1, 2))
    assert not close(torch.tensor([float("nan")]), torch.ones(1))
    assert close("ZYX", "ZYX") and not close("ZYX", "XYZ") and not close("1", 1.0)
    assert close(torch.ones(0), torch.ones(0))


def test_like_compares_with_a_wrong_answer() -> None:
    seen = like(lambda right, scale: scale * right)
    assert seen(torch.tensor([2.0]), torch.tensor([1.0]), 2.0)
    assert not seen(torch.tensor([2.0]), torch.tensor([1.0]), 3.0)
    assert not seen("no number", torch.tensor([1.0]), 3.0)
