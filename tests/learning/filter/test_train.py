"""Learning gains through records: towards the fine grid, in batches, from gains that can be."""

import pytest
import torch

from diffkin.errors import OptionError, UnknownNameError
from diffkin.learning.filter.grid import fine_grid
from diffkin.learning.filter.run import rms_deg, run_records
from diffkin.learning.filter.train import FilterProblem, LearnedGains
from diffkin.learning.training.loop import fit
from diffkin.learning.training.settings import FitSettings
from tests.learning.filter.sample_records import records


def test_learning_approaches_the_fine_grid(tmp_path):
    data = records(8, 3.0, settle=1.0)
    gains, best = fine_grid("madgwick", data, [0.005, 1e-4], [2.0, 0.1], points=5, refinements=2)
    problem = FilterProblem(LearnedGains("madgwick", [0.5, 0.01]), data, data)
    before = problem.validate(problem.network)["loss"]
    settings = FitSettings(
        steps=12, batch=8, learning_rate=0.04, warmup=1, average=0.0, validate_every=3, threads=1, progress=False
    )
    report = fit(problem, settings, tmp_path)
    assert report.best < best + 0.2 * (before - best)
    found = float(rms_deg(run_records("madgwick", gains, data), data))
    assert found == pytest.approx(best)


def test_a_batch_is_a_share_of_the_training_records():
    data = records(6)
    problem = FilterProblem(LearnedGains("mahony", [1.0, 1.0, 0.1]), data, data)
    (index,) = problem.batch(4, torch.Generator().manual_seed(0))
    assert len(set(index.tolist())) == 4
    (everything,) = problem.batch(99, torch.Generator().manual_seed(0))
    assert sorted(everything.tolist()) == list(range(6))


def test_gains_by_name():
    gains = LearnedGains("mahony", [1.0, 2.0, 0.5])
    assert gains.table() == {"accelerometer": 1.0, "magnetometer": 2.0, "integral": 0.5}
    assert torch.equal(gains(), torch.tensor([1.0, 2.0, 0.5]))


def test_mistakes():
    with pytest.raises(UnknownNameError, match="mahony"):
        LearnedGains("mahoni", [1.0])
    with pytest.raises(OptionError, match="mahony needs 3 positive gains"):
        LearnedGains("mahony", [1.0, 0.1])
    with pytest.raises(OptionError, match="positive"):
        LearnedGains("mahony", [1.0, -1.0, 0.1])
    with pytest.raises(OptionError, match="LearnedGains, got Linear"):
        FilterProblem(LearnedGains("mahony", [1.0, 1.0, 0.1]), records(), records()).validate(torch.nn.Linear(1, 1))
