"""Small dense algebra used everywhere: safe under autocast, at zero, and to every order of derivative."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from diffkin._checks import has_values
from diffkin.errors import RotationError

__all__ = [
    "apply",
    "blend_series",
    "check_nonzero",
    "cross",
    "dot",
    "inverse",
    "is_autocast",
    "matmul",
    "perpendicular",
    "product",
    "promote",
    "quaternion_row",
    "rescale",
    "safe_norm",
    "solve3",
    "unit",
]


_MOST_TERMS = 16  # of a sum that is written out, which needs less memory


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner product over the last axis, kept as length 1: (*batch, n), (*batch, n) -> (*batch, 1)."""
    return (a * b).sum(-1, keepdim=True)


def promote(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Both in their common dtype, for products that do not promote by themselves."""
    if a.dtype == b.dtype:
        return a, b
    dtype = torch.promote_types(a.dtype, b.dtype)
    return a.to(dtype), b.to(dtype)


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """``a @ b`` of (*batch, m, n) and (*batch, n, p), in the wider precision: autocast would round it to half.

    The value of one small product does not depend on the batch it is in: torch gives a lone matrix to the processor's
    BLAS library, which rounds otherwise than torch's own loop over a batch, so a lone matrix goes as a batch of one.
    """
    a, b = promote(a, b)
    if is_autocast(a.device.type):
        return _sum_of_products(a, b)
    if a.ndim > 2 and b.ndim > 2:
        return a @ b
    result = (a.unsqueeze(0) if a.ndim == 2 else a) @ (b.unsqueeze(0) if b.ndim == 2 else b)
    return result.squeeze(0) if a.ndim == b.ndim else result


def product(a: Tensor, b: Tensor) -> Tensor:
    """``a @ b`` of one small and one long matrix of one dtype, (m, n) and (n, p), which autocast would round too."""
    return _sum_of_products(a, b) if is_autocast(a.device.type) else torch.mm(a, b)


# Asked once: torch.compile of torch 2.11 cannot follow the question. A type of device unknown to this torch has none.
_AUTOCAST_DEVICES = frozenset(
    kind for kind in ("cpu", "cuda", "xpu", "mps", "hpu", "xla", "mtia") if torch.amp.is_autocast_available(kind)
)


def is_autocast(device: str) -> bool:
    """Whether autocast is on for a type of device."""
    return device in _AUTOCAST_DEVICES and torch.is_autocast_enabled(device)


def _sum_of_products(a: Tensor, b: Tensor) -> Tensor:
    """A matrix product of operations that autocast leaves alone, going backward too: it knows matrix products alone."""
    if not 0 < a.shape[-1] <= _MOST_TERMS:
        return (a.unsqueeze(-1) * b.unsqueeze(-3)).sum(-2)
    terms = [a[..., :, k : k + 1] * b[..., k : k + 1, :] for k in range(a.shape[-1])]
    return sum(terms[1:], start=terms[0])


def apply(matrix: Tensor, vector: Tensor) -> Tensor:
    """``matrix @ vector`` over (*batch, m, n) and (*batch, n), in the wider precision: (*batch, m)."""
    return (matrix * vector.unsqueeze(-2)).sum(-1)


def unit(vector: Tensor) -> Tensor:
    """A vector (*batch, n) of any length over its length; zero for zero, with zero derivatives."""
    scale = vector.detach().abs().amax(-1, keepdim=True)
    zero = scale == 0
    scaled = torch.where(zero, 0.0, vector / torch.where(zero, 1.0, scale))  # squares neither overflow nor vanish
    return scaled / torch.sqrt(torch.where(zero, 1.0, dot(scaled, scaled)))


def perpendicular(vector: Tensor) -> Tensor:
    """Some unit vector across a vector (*batch, 3); constant under differentiation."""
    with torch.no_grad():
        place = torch.arange(3, device=vector.device)
        smallest = (place == vector.abs().argmin(-1, keepdim=True)).to(vector.dtype)
        return unit(torch.linalg.cross(vector, smallest))


def rescale(vector: Tensor, *, small: bool = True) -> tuple[Tensor, Tensor]:
    """A vector (*batch, n) over a constant, and the constant (*batch, 1), so that squares neither overflow nor vanish.

    The constant is 1 at ordinary lengths, and otherwise the vector's largest entry. It has no derivative: what is
    computed must not depend on it. With ``small=False`` small vectors keep their length.
    """
    info = torch.finfo(vector.dtype)
    largest = vector.detach().abs().amax(-1, keepdim=True)
    odd = largest > info.max**0.25
    if small:
        odd = odd | ((largest < info.tiny**0.25) & (largest > 0))
    scale = torch.where(odd, largest, 1.0)
    return vector / scale, scale


def safe_norm(vector: Tensor) -> Tensor:
    """Length over the last axis (kept), 0 with zero derivatives where two derivatives would overflow."""
    vector, scale = rescale(vector, small=False)
    square = dot(vector, vector)
    tiny = square < torch.finfo(vector.dtype).tiny ** 0.5
    return scale * torch.where(tiny, 0.0, torch.sqrt(torch.where(tiny, 1.0, square)))


def solve3(matrix: Tensor, vector: Tensor) -> Tensor:
    """``matrix^-1 vector`` of (*batch, 3, 3) and (*batch, 3) by cofactors; zero where the matrix is singular."""
    scale = matrix.detach().abs().amax((-2, -1))[..., None]
    scale = torch.where(scale == 0, 1.0, scale)
    a, b, c = (matrix / scale[..., None]).unbind(-1)
    bc = torch.linalg.cross(b, c)
    det = dot(a, bc)
    singular = det.abs() < torch.finfo(det.dtype).tiny ** 0.5
    rows = [dot(bc, vector), dot(torch.linalg.cross(c, a), vector), dot(torch.linalg.cross(a, b), vector)]
    return torch.where(singular, 0.0, torch.cat(rows, -1) / torch.where(singular, 1.0, det)) / scale


def quaternion_row(matrix: Tensor) -> Tensor:
    """The longest row of ``4 q q^T``: the quaternion (xyzw, w >= 0) of a rotation matrix, up to a positive factor."""
    m00, m01, m02, m10, m11, m12, m20, m21, m22 = matrix.flatten(-2).unbind(-1)
    xy, xz, yz = m01 + m10, m02 + m20, m12 + m21
    xw, yw, zw = m21 - m12, m02 - m20, m10 - m01
    plus, minus, up, down = m00 + m11, m00 - m11, 1 + m22, 1 - m22
    entries = [down + minus, xy, xz, xw, xy, down - minus, yz, yw, xz, yz, up - plus, zw, xw, yw, zw, up + plus]
    rows = torch.unflatten(torch.stack(entries, -1), -1, (4, 4))
    best = rows.diagonal(dim1=-2, dim2=-1).argmax(-1)
    row = rows.gather(-2, best[..., None, None].expand(*best.shape, 1, 4)).squeeze(-2)
    return torch.where(row[..., 3:] < 0, -row, row)


def blend_series(
    vector: Tensor,
    closed: Callable[[Tensor], Tensor],
    series: Sequence[Sequence[float]],
    threshold: float,
) -> Tensor:
    """Even functions of the length of a vector: their power series near zero, their closed form elsewhere.

    Both branches get a harmless constant argument where they are not taken (``clamp`` does the work of the double
    *where*), so that no NaN flows back, and the series is a polynomial in the *squared* length, so that every
    derivative at zero is right.

    Args:
        vector: (*batch, n), whose length is the angle that the functions are of.
        closed: Maps the angle (*batch, 1) to the m values (*batch, m).
        series: Coefficients by rising power of the squared angle; each row holds those of the m functions.
        threshold: Squared angle below which the series is used, at most 1.

    Returns:
        (*batch, m) values.
    """
    shrunk, scale = rescale(vector, small=False)  # where it is shrunk its square is at least 1
    square = dot(shrunk, shrunk)
    near = square.clamp(max=threshold)
    rows = torch.tensor(series, dtype=square.dtype, device=square.device).unbind(0)
    value = rows[-1]
    for row in reversed(rows[:-1]):
        value = torch.addcmul(row, near, value)
    return torch.where(square < threshold, value, closed(scale * torch.sqrt(square.clamp(min=threshold))))


def check_nonzero(vector: Tensor, name: str) -> None:
    """Raise if a vector over the last axis has zero (or NaN) length; skipped where values cannot be seen."""
    if has_values(vector) and not bool((vector.detach() != 0).any(-1).all()):
        raise RotationError(f"{name} holds a zero vector, which has no direction. Give one of non-zero length.")


def inverse(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Inverses of matrices (*batch, n, n), and where there is one (*batch,); half precision is worked out in float32.

    It stands for ``torch.linalg.solve`` too, whose derivatives in forward mode inside a vmap are wrong (torch 2.13).
    """
    single = torch.promote_types(matrix.dtype, torch.float32)
    found, info = torch.linalg.inv_ex(matrix.to(single))
    return found.to(matrix.dtype), info == 0


def cross(first: Tensor, second: Tensor) -> Tensor:
    """Cross product of vectors (*batch, 3) in the wider precision; leading axes broadcast."""
    return torch.linalg.cross(*torch.broadcast_tensors(*promote(first, second)))
