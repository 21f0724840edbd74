"""Seeds: no two that a person may give draw the same training or held-out data."""

from diffkin.learning.training.seeds import held_out_seed, training_seed


def test_seeds_and_processes_do_not_meet():
    training = [training_seed(seed, rank) for seed in range(200) for rank in range(64)]
    held_out = [held_out_seed(seed) for seed in range(200)]
    assert len(set(training)) == 200 * 64 and len(set(held_out)) == 200
    assert not set(training) & set(held_out)
    assert training_seed(5, 0) == 5 * training_seed(1, 0)


def test_seeds_stay_what_they_were():
    """Figures in the documentation are of these held-out targets."""
    assert held_out_seed() == held_out_seed(0) == 2_000_000_011
    assert training_seed(3, 2) == 3 * 1009 + 2
