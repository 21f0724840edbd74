"""Positions on the earth, against pymap3d."""

from __future__ import annotations

import math

import numpy as np
import pymap3d
import pytest
import torch
from torch.autograd import gradcheck

from diffkin.aircraft.frames import geodesy
from diffkin.errors import NonFiniteError, ShapeError

HEIGHTS = [(-1e4, 0.0), (0.0, 1e3), (0.0, 1e5)]


def places(count: int, low: float, high: float, seed: int = 0) -> torch.Tensor:
    unit = torch.rand(count, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    latitude = (unit[:, 0] - 0.5) * math.pi
    longitude = (unit[:, 1] - 0.5) * 2.0 * math.pi
    return torch.stack((latitude, longitude, low + (high - low) * unit[:, 2]), dim=-1)


@pytest.mark.parametrize(("low", "high"), HEIGHTS)
def test_ecef_against_pymap3d(low: float, high: float) -> None:
    geodetic = places(2000, low, high)
    ecef = geodesy.geodetic_to_ecef(geodetic)
    theirs = np.stack(pymap3d.geodetic2ecef(*geodetic.numpy().T, deg=False), -1)
    np.testing.assert_allclose(ecef.numpy(), theirs, rtol=0, atol=1e-8)
    back = np.stack(pymap3d.ecef2geodetic(*theirs.T, deg=False), -1)
    np.testing.assert_allclose(geodesy.ecef_to_geodetic(ecef)[:, :2].numpy(), back[:, :2], rtol=0, atol=1e-12)
    np.testing.assert_allclose(geodesy.ecef_to_geodetic(ecef)[:, 2].numpy(), back[:, 2], rtol=0, atol=1e-8)


def test_there_and_back_as_far_as_geostationary_orbit() -> None:
    geodetic = places(2000, -1e4, 4e7)
    back = geodesy.ecef_to_geodetic(geodesy.geodetic_to_ecef(geodetic))
    torch.testing.assert_close(back[:, :2], geodetic[:, :2], rtol=0, atol=2e-15)
    torch.testing.assert_close(back[:, 2], geodetic[:, 2], rtol=0, atol=1e-7)


def test_local_axes_against_pymap3d() -> None:
    origin, geodetic = places(500, 0.0, 3e3, seed=1), places(500, 0.0, 2e4, seed=2)
    origin[:, :2] *= 0.95  # so that no neighbour lies beyond a pole or the date line
    geodetic[:, :2] = origin[:, :2] + 0.01 * geodetic[:, :2]
    ned = geodesy.geodetic_to_ned(geodetic, origin)
    theirs = np.stack(pymap3d.geodetic2ned(*geodetic.numpy().T, *origin.numpy().T, deg=False), -1)
    np.testing.assert_allclose(ned.numpy(), theirs, rtol=0, atol=1e-8)
    enu = np.stack(pymap3d.geodetic2enu(*geodetic.numpy().T, *origin.numpy().T, deg=False), -1)
    np.testing.assert_allclose(geodesy.geodetic_to_enu(geodetic, origin).numpy(), enu, rtol=0, atol=1e-8)
    torch.testing.assert_close(geodesy.ned_to_geodetic(ned, origin)[:, :2], geodetic[:, :2], rtol=0, atol=1e-14)
    ecef = geodesy.geodetic_to_ecef(geodetic)
    torch.testing.assert_close(geodesy.ned_to_ecef(ned, origin), ecef, rtol=0, atol=1e-8)
    torch.testing.assert_close(geodesy.enu_to_ecef(geodesy.ecef_to_enu(ecef, origin), origin), ecef, rtol=0, atol=1e-8)
    back = geodesy.enu_to_geodetic(geodesy.geodetic_to_enu(geodetic, origin), origin)
    torch.testing.assert_close(back[:, :2], geodetic[:, :2], rtol=0, atol=1e-14)


def test_gradients() -> None:
    # In units of the earth's radius, so that finite differences have digits left.
    def scaled(x: torch.Tensor) -> torch.Tensor:
        return geodesy.ecef_to_geodetic(x * geodesy.SEMI_MAJOR_AXIS)[..., :2]

    x = torch.tensor([[0.5, -0.6, 0.7], [1.0, 0.1, 0.0], [-0.3, 0.2, -1.1]], dtype=torch.float64, requires_grad=True)
    assert gradcheck(scaled, (x,))
    geodetic = places(3, 0.0, 10.0).requires_grad_()
    assert gradcheck(lambda g: geodesy.geodetic_to_ecef(g) / geodesy.SEMI_MAJOR_AXIS, (geodetic,), atol=1e-6)


def test_poles() -> None:
    polar = geodesy.SEMI_MAJOR_AXIS * (1.0 - geodesy.FLATTENING)
    poles = torch.tensor([[0.0, 0.0, polar], [0.0, 0.0, -polar - 100.0]], dtype=torch.float64)
    geodetic = geodesy.ecef_to_geodetic(poles)
    half = 0.5 * math.pi
    expected = torch.tensor([[half, 0.0, 0.0], [-half, 0.0, 100.0]], dtype=torch.float64)
    torch.testing.assert_close(geodetic, expected, rtol=0, atol=1e-8)
    assert bool(torch.isfinite(torch.func.vmap(torch.func.jacrev(geodesy.ecef_to_geodetic))(poles)).all())


def test_bad_input() -> None:
    with pytest.raises(ShapeError, match="geodetic"):
        geodesy.geodetic_to_ecef(torch.zeros(2))
    with pytest.raises(NonFiniteError, match="ecef"):
        geodesy.ecef_to_geodetic(torch.full((3,), torch.nan))
