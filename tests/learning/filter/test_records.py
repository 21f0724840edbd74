"""Records: from samples, cut into windows, beside each other."""

import pytest
import torch

from diffkin import rotations
from diffkin.errors import OptionError, ShapeError
from diffkin.learning.filter.records import cut, from_samples, stack
from diffkin.learning.filter.simulated import SimulationSettings, simulate_records
from tests.learning.filter.sample_records import PERFECT


def test_samples_become_records_whatever_their_units():
    """A body that is turned by a known rotation and at rest: its first measurements say that rotation."""
    R = rotations.random_rotation(5, seed=3)
    down, field = (R.mT @ torch.tensor(v, dtype=torch.float64).view(3, 1) for v in ([0, 0, 1.0], [0.3, 0, 0.9]))
    accel, mag = (-9.81 * down).mT.expand(5, 4, 3), (48.0 * field).mT.expand(5, 4, 3)
    truth = rotations.matrix_to_quat_xyzw(R)[:, None].expand(5, 4, 4)
    data = from_samples((torch.zeros(5, 4, 3), accel, mag, truth, torch.ones(5, 4)), 0.01, torch.float64)
    assert data.count == 5 and data.gyro.shape == (4, 3, 5) and data.truth.shape == (4, 4, 5)
    torch.testing.assert_close(data.down[0].T, down.squeeze(-1))
    torch.testing.assert_close(data.field.norm(dim=1), torch.ones(4, 5, dtype=torch.float64))
    torch.testing.assert_close(rotations.quat_xyzw_to_matrix(data.first.T), R)
    with pytest.raises(OptionError, match="dt"):
        from_samples((torch.zeros(5, 4, 3), accel, mag, truth, torch.ones(5, 4)), 0.0, torch.float64)


def test_some_of_the_records_and_another_dtype():
    data = simulate_records(4, PERFECT, 0, torch.float64)
    some = data.chosen(torch.tensor([2, 0])).to(torch.zeros(1))
    assert some.count == 2 and some.dt == data.dt and some.gyro.dtype == torch.float32
    assert torch.equal(some.first, data.first[:, [2, 0]].float())


def test_windows_of_a_long_record():
    data = simulate_records(2, PERFECT, 0, torch.float64)
    windows = cut(data, 1.0, settle=0.2)
    assert windows.count == 6 and windows.gyro.shape[0] == 50
    assert torch.equal(windows.gyro[..., 2:4], data.gyro[50:100])
    assert float(windows.counts[:10].sum()) == 0
    begun = rotations.quat_xyzw_to_matrix(windows.first.T)
    assert float(rotations.angle_between(begun, rotations.quat_xyzw_to_matrix(windows.truth[0].T)).max()) < 1e-7
    quiet = type(data)(**{**vars(data), "counts": torch.zeros_like(data.counts)})
    with pytest.raises(OptionError, match="anything count"):
        cut(quiet, 1.0, settle=0.2)
    with pytest.raises(OptionError, match="do not fit"):
        cut(data, 100.0)


def test_only_like_records_stand_beside_each_other():
    long = simulate_records(1, SimulationSettings(seconds=4.0))
    with pytest.raises(ShapeError, match="one length"):
        stack([simulate_records(1, PERFECT), long])
    both = stack([simulate_records(1, PERFECT, seed) for seed in (0, 1)])
    assert both.count == 2 and torch.equal(both.gyro[..., 1:], simulate_records(1, PERFECT, 1).gyro)
