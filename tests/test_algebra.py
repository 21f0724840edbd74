"""Small dense algebra: a product of two matrices has one value, wherever they stand in a batch."""

from __future__ import annotations

import pytest
import torch

from diffkin._algebra import inverse, matmul


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [3, 4, 6])
def test_a_product_does_not_depend_on_its_batch(size: int, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(size)
    a, b = torch.randn(2, 77, size, size, generator=generator, dtype=dtype).unbind()
    pairs = (
        (a, b),
        (a.mT, b),
        (a, b.mT),
        (a[:1].expand(77, size, size), b),
        (a, b[..., :1]),
    )
    for left, right in pairs:
        whole = matmul(left, right)
        torch.testing.assert_close(whole, left @ right)
        in_two_axes = matmul(left.unflatten(0, (7, 11)), right.unflatten(0, (7, 11)))
        assert torch.equal(in_two_axes.flatten(0, 1), whole)
        for i in (0, 3, 4, 38, 76):
            assert torch.equal(matmul(left[i], right[i]), whole[i])
            assert torch.equal(matmul(left[i : i + 2], right[i : i + 2])[0], whole[i])
            assert torch.equal(matmul(left[i], right)[i], whole[i])
            assert torch.equal(matmul(left, right[i])[i], whole[i])


def test_shapes_of_products_are_those_of_torch() -> None:
    for first, second in (((3, 4), (4, 5)), ((2, 3, 4), (4, 5)), ((3, 4), (2, 4, 5)), ((6, 1, 3, 4), (2, 4, 5))):
        a, b = torch.randn(first), torch.randn(second)
        assert matmul(a, b).shape == torch.matmul(a, b).shape
    assert matmul(torch.ones(3, 3), torch.ones(3, 3, dtype=torch.float64)).dtype == torch.float64


def test_inverse_is_an_inverse_and_tells_where_there_is_none() -> None:
    matrix = torch.randn(5, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    matrix[2, 3] = 2.0 * matrix[2, 1]
    found, good = inverse(matrix)
    assert good.tolist() == [True, True, False, True, True]
    eye = torch.eye(4, dtype=torch.float64).expand(4, 4, 4)
    torch.testing.assert_close(found[good] @ matrix[good], eye, rtol=0, atol=1e-12)
    half, _ = inverse(matrix[:1].to(torch.float16))
    assert half.dtype == torch.float16
    torch.testing.assert_close(half.double(), found[:1], rtol=0.05, atol=0.05)


def test_derivatives_of_an_inverse_in_forward_mode_inside_a_vmap() -> None:
    matrix = torch.randn(5, 4, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    found = torch.func.vmap(torch.func.jacfwd(lambda m: inverse(m)[0]))(matrix)
    back = inverse(matrix)[0]
    expected = -torch.einsum("bij,bkl->biljk", back, back)  # d(M^-1) = -M^-1 dM M^-1
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
