"""The fine grid, against each of its points."""

import pytest
import torch

from diffkin.errors import OptionError
from diffkin.learning.filter.grid import fine_grid
from diffkin.learning.filter.run import rms_deg, run_records
from tests.learning.filter.sample_records import records


def test_the_grid_finds_the_least_of_what_it_tries():
    data = records(2, 1.0, settle=0.3)
    gains, best = fine_grid("madgwick", data, [0.01, 1e-4], [1.0, 0.1], points=4, refinements=0, lanes=5)
    axes = [torch.logspace(-2, 0, 4, dtype=torch.float64), torch.logspace(-4, -1, 4, dtype=torch.float64)]
    tried = torch.cartesian_prod(*axes)
    each = torch.stack([rms_deg(run_records("madgwick", row, data), data) for row in tried])
    assert best == pytest.approx(float(each.min()))
    assert torch.allclose(gains, tried[int(each.argmin())])


def test_refinements_only_lower_the_error():
    data = records(2, 1.0, settle=0.3)
    found = [fine_grid("madgwick", data, [0.01, 1e-4], [1.0, 0.1], points=4, refinements=k)[1] for k in (0, 1, 2)]
    assert found[2] <= found[1] < found[0]


def test_bounds_that_do_not_fit():
    with pytest.raises(OptionError, match="bounds"):
        fine_grid("mahony", records(), [0.2, 2.0], [5.0, 60.0])
    with pytest.raises(OptionError, match="bounds"):
        fine_grid("madgwick", records(), [0.2, 2.0], [5.0, 1.0])
