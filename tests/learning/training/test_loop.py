"""The training loop: what it learns, logs and keeps; kills, resumes and two processes."""

import errno
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from diffkin import _files
from diffkin.errors import ModelFileError, NonFiniteError, OptionError, UnknownNameError
from diffkin.learning.training.checkpoint import load_checkpoint, save_checkpoint
from diffkin.learning.training.log import read_metrics
from diffkin.learning.training.loop import fit
from diffkin.learning.training.settings import FitSettings
from tests.scripts.training_runs import same

torch.set_num_threads(1)


class Line:
    """Least squares to y = A x + b with noise, from fresh data."""

    A = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]])
    b = torch.tensor([0.3, -0.7])

    def __init__(self, pause: float = 0.0, width: int = 3) -> None:
        torch.manual_seed(0)
        self.network = nn.Linear(width, 2)
        self.pause = pause
        self.held_out = self.batch(200, torch.Generator().manual_seed(99))

    def batch(self, count, generator):
        x = torch.randn(count, 3, generator=generator)
        return x, x @ self.A.T + self.b + 0.01 * torch.randn(count, 2, generator=generator)

    def loss(self, network, x, y):
        time.sleep(self.pause)
        return (network(x) - y).square().mean()

    def validate(self, network):
        x, y = self.held_out
        return {"loss": float((network(x) - y).detach().square().mean())}


def settings(**changes) -> FitSettings:
    common = {"steps": 60, "batch": 16, "learning_rate": 0.1, "warmup": 5, "validate_every": 20, "checkpoint_every": 7}
    return FitSettings(**{**common, "threads": 1, "progress": False, **changes})


def without_seconds(folder: Path) -> list[dict[str, float]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in read_metrics(folder / "metrics.csv")]


def test_learns_and_keeps_the_best(tmp_path):
    problem = Line()
    report = fit(problem, settings(steps=600, average=0.9), tmp_path)
    assert report.step == 600
    assert torch.allclose(problem.network.weight, problem.A, atol=0.01)
    assert torch.allclose(problem.network.bias, problem.b, atol=0.01)
    rows = read_metrics(tmp_path / "metrics.csv")
    assert [row["step"] for row in rows] == list(range(20, 601, 20))
    assert report.best == min(row["loss"] for row in rows)
    assert report.best == pytest.approx(problem.validate(problem.network)["loss"])
    assert rows[-1]["learning_rate"] == pytest.approx(0.0, abs=1e-9)


def test_stops_early_at_the_noise_floor(tmp_path):
    problem = Line()
    report = fit(problem, settings(steps=5000, patience=3), tmp_path)
    rows = read_metrics(tmp_path / "metrics.csv")
    assert report.step < 5000
    assert [row["loss"] <= report.best for row in rows[-4:]] == [True, False, False, False]


def test_average_zero_keeps_the_weights_of_the_last_step(tmp_path):
    fit(Line(), settings(average=0.0), tmp_path)
    state = load_checkpoint(tmp_path / "last.pt")
    assert same(state["network"], state["average"])


def test_same_seed_same_run_other_seed_other_run(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        fit(Line(), settings(seed=seed), tmp_path / name)
    a, b, c = (load_checkpoint(tmp_path / name / "last.pt") for name in "abc")
    assert same(a, b)
    assert not same(a["network"], c["network"])


def test_going_on_equals_never_having_stopped(tmp_path):
    fit(Line(), settings(), tmp_path / "whole")

    class Interrupted(Line):
        def validate(self, network):
            if getattr(self, "stop", False):
                raise KeyboardInterrupt
            self.stop = True
            return super().validate(network)

    with pytest.raises(KeyboardInterrupt):  # at step 40, five steps after the last checkpoint
        fit(Interrupted(), settings(), tmp_path / "parts")
    assert load_checkpoint(tmp_path / "parts" / "last.pt")["count"]["step"] == 35
    fit(Line(), settings(), tmp_path / "parts", resume=True)
    assert same(load_checkpoint(tmp_path / "whole" / "last.pt"), load_checkpoint(tmp_path / "parts" / "last.pt"))
    assert same(load_checkpoint(tmp_path / "whole" / "best.pt"), load_checkpoint(tmp_path / "parts" / "best.pt"))
    assert without_seconds(tmp_path / "whole") == without_seconds(tmp_path / "parts")


CHILD = """
import importlib.util, os, sys
from pathlib import Path
sys.path.insert(0, str(Path({here!r}).parents[3]))
spec = importlib.util.spec_from_file_location("test_fit", {here!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
from diffkin.learning.training.loop import fit
report = fit(module.Line(pause={pause}), module.settings({changes}), Path({folder!r}), resume={resume})
os.write(1, f"rank {{report.rank}} step {{report.step}}\\n".encode())
"""


def child(folder: Path, resume: bool, pause: float = 0.0, changes: str = "") -> subprocess.Popen:
    code = CHILD.format(here=__file__, folder=str(folder), resume=resume, pause=pause, changes=changes)
    script = folder.with_suffix(".py")
    script.write_text(code)
    return subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_killed_at_any_moment_and_resumed_equals_uninterrupted(tmp_path):
    few = "checkpoint_every=1"  # a checkpoint a step: the kills fall between, into and beside the writing
    fit(Line(), settings(checkpoint_every=1), tmp_path / "whole")
    folder, last = tmp_path / "killed", tmp_path / "killed" / "last.pt"
    for kill in range(2):
        process = child(folder, resume=kill > 0, pause=0.02, changes=few)
        done = load_checkpoint(last)["count"]["step"] if last.exists() else 0
        give_up = time.monotonic() + 60
        while not last.exists() or load_checkpoint(last)["count"]["step"] < done + 12:
            assert time.monotonic() < give_up and process.poll() is None
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert load_checkpoint(last)["count"]["step"] < 60
    fit(Line(), settings(checkpoint_every=1), folder, resume=True)
    assert same(load_checkpoint(tmp_path / "whole" / "last.pt"), load_checkpoint(last))
    assert same(load_checkpoint(tmp_path / "whole" / "best.pt"), load_checkpoint(folder / "best.pt"))
    assert without_seconds(tmp_path / "whole") == without_seconds(folder)


def test_two_processes_share_the_batch_and_agree(tmp_path):
    process = child(tmp_path / "two", resume=False, changes="devices=2, steps=200, average=0.9")
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert sorted(line for line in output.splitlines() if line.startswith("rank")) == [
        "rank 0 step 200",
        "rank 1 step 200",
    ]
    state = load_checkpoint(tmp_path / "two" / "last.pt")
    assert state["generators"].shape[0] == 2
    assert not torch.equal(state["generators"][0], state["generators"][1])
    weights = load_checkpoint(tmp_path / "two" / "best.pt")["network"]
    assert torch.allclose(weights["weight"], Line.A, atol=0.02)
    assert [row["step"] for row in read_metrics(tmp_path / "two" / "metrics.csv")] == list(range(20, 201, 20))


def test_another_model_is_refused(tmp_path):
    fit(Line(), settings(), tmp_path)
    other = Line(width=4)
    with pytest.raises(OptionError, match="another model: weight is .2, 3. there and .2, 4."):
        fit(other, settings(), tmp_path, resume=True)


def test_a_broken_checkpoint_is_a_clear_error(tmp_path):
    (tmp_path / "last.pt").write_bytes(b"\x80\x04rubbish")
    with pytest.raises(ModelFileError, match="cannot be read as a checkpoint"):
        fit(Line(), settings(), tmp_path, resume=True)


def test_loss_that_is_not_finite_ends_the_run(tmp_path):
    class Diverging(Line):
        def loss(self, network, x, y):
            return super().loss(network, x, y) / 0.0

    with pytest.raises(NonFiniteError, match="learning_rate"):
        fit(Diverging(), settings(), tmp_path)


def test_unknown_monitor_names_the_scores(tmp_path):
    with pytest.raises(UnknownNameError, match="'loss'"):
        fit(Line(), settings(monitor="los"), tmp_path)


def test_tensorboard_log(tmp_path):
    fit(Line(), settings(tensorboard=True), tmp_path)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    logged = [(event.step, event.value) for event in events.Scalars("loss")]
    rows = read_metrics(tmp_path / "metrics.csv")
    assert [step for step, _ in logged] == [row["step"] for row in rows]
    assert all(math.isclose(value, row["loss"], rel_tol=1e-6) for (_, value), row in zip(logged, rows))


class Breaking(Line):
    """The loss of one step is NaN."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at, self.step = at, 0

    def loss(self, network, x, y):
        self.step += 1
        return super().loss(network, x, y) * (math.nan if self.step == self.at else 1.0)


@pytest.mark.parametrize(("at", "kept"), [(18, "last.pt is from step 14"), (3, "There is no last.pt yet")])
def test_a_loss_that_is_nan_never_gets_into_a_checkpoint(at, kept, tmp_path):
    """Checkpoints every 7 steps, validations every 20: it is noticed before either."""
    with pytest.raises(NonFiniteError, match=f"at step {at}, .*{kept}.*learning_rate"):
        fit(Breaking(at), settings(), tmp_path)
    if at > 7:
        fit(Line(), settings(steps=14), tmp_path / "short")
        assert load_checkpoint(tmp_path / "last.pt")["count"]["step"] == 14
        fit(Line(), settings(), tmp_path / "whole")
        fit(Line(), settings(), tmp_path, resume=True)  # what was kept goes on as if nothing had happened
        assert same(load_checkpoint(tmp_path / "whole" / "last.pt"), load_checkpoint(tmp_path / "last.pt"))


def test_a_gradient_that_is_not_finite_ends_the_run_too(tmp_path):
    class Steep(Line):
        def loss(self, network, x, y):
            return super().loss(network, x, y) + (0.0 * network.weight).sqrt().sum()  # 0, of infinite slope

    with pytest.raises(NonFiniteError, match="gradient of the loss .* not finite at step 1"):
        fit(Steep(), settings(), tmp_path)
    assert not (tmp_path / "last.pt").exists()


def test_weights_that_overflow_are_not_written(tmp_path):
    class Overflowing(Breaking):
        def loss(self, network, x, y):
            value = Line.loss(self, network, x, y)
            self.step += 1
            if self.step == self.at:
                network.bias.data[0] = math.inf  # after the loss was taken: only the weights tell
            return value

    with pytest.raises(
        NonFiniteError, match="bias holds NaN or infinite numbers after step 14.*last.pt is from step 7"
    ):
        fit(Overflowing(14), settings(), tmp_path)
    assert load_checkpoint(tmp_path / "last.pt")["count"]["step"] == 7
    with pytest.raises(NonFiniteError, match="after step 20"):
        fit(Overflowing(20), settings(checkpoint_every=60), tmp_path)
    assert not (tmp_path / "best.pt").exists()


class Unscored(Line):
    def validate(self, network):
        return {"loss": math.nan}


def test_nan_validation_in_a_used_folder_does_not_load_the_old_weights(tmp_path):
    fit(Line(), settings(), tmp_path)
    old = load_checkpoint(tmp_path / "best.pt")["network"]
    problem = Unscored()
    with pytest.raises(NonFiniteError, match="No validation gave a finite score 'loss'.*last.pt is from step 60"):
        fit(problem, settings(seed=4), tmp_path)
    assert not same(old, problem.network.state_dict())
    assert not (tmp_path / "best.pt").exists()
    assert len(read_metrics(tmp_path / "metrics.csv")) == 3


def test_a_score_that_is_nan_at_first_is_no_best_one(tmp_path):
    class Late(Line):
        scored = 0

        def validate(self, network):
            self.scored += 1
            return {"loss": math.nan} if self.scored < 2 else super().validate(network)

    assert fit(Late(), settings(), tmp_path).best_step >= 40


def test_a_new_run_in_a_used_folder_does_not_go_on_with_the_old_one(tmp_path):
    fit(Line(), settings(), tmp_path)

    class Stopped(Line):
        def batch(self, count, generator):
            if hasattr(self, "held_out"):
                raise KeyboardInterrupt
            return super().batch(count, generator)

    with pytest.raises(KeyboardInterrupt):
        fit(Stopped(), settings(seed=4), tmp_path)
    fit(Line(), settings(seed=4), tmp_path, resume=True)  # from the start: nothing was kept
    fit(Line(), settings(seed=4), tmp_path / "other")
    assert same(load_checkpoint(tmp_path / "last.pt"), load_checkpoint(tmp_path / "other" / "last.pt"))


def test_best_weights_of_another_run_are_refused(tmp_path):
    fit(Line(), settings(), tmp_path)
    save_checkpoint(tmp_path / "best.pt", {"network": Line().network.state_dict(), "step": 5, "best": 0.0})
    with pytest.raises(ModelFileError, match="of step 5, the best one of this run was .*another run"):
        fit(Line(), settings(), tmp_path, resume=True)


def test_a_run_that_goes_on_uses_the_settings_given_or_refuses_them(tmp_path):
    fit(Line(), settings(steps=35), tmp_path)
    with pytest.raises(OptionError, match=r"trainer\.seed=0; one that goes on cannot take 3"):
        fit(Line(), settings(seed=3), tmp_path, resume=True)
    fit(Line(), settings(learning_rate=0.01, weight_decay=0.5, steps=42), tmp_path, resume=True)
    group = load_checkpoint(tmp_path / "last.pt")["optimizer"]["param_groups"][0]
    assert group["initial_lr"] == 0.01 and group["weight_decay"] == 0.5
    row = read_metrics(tmp_path / "metrics.csv")[-1]
    assert row["learning_rate"] == pytest.approx(0.01 * settings(steps=42).rate(42))


def test_a_full_disk_ends_the_run_with_the_checkpoint_before(tmp_path, monkeypatch):
    real, writes = _files.os.replace, []

    def full(source, target):
        writes.append(target)
        if len(writes) == 4:  # metrics.csv, last.pt at 7 and 14, then at 21 best.pt was written before
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(source, target)

    monkeypatch.setattr(_files.os, "replace", full)
    with pytest.raises(ModelFileError, match="cannot be written: No space left on device"):
        fit(Line(), settings(), tmp_path)
    monkeypatch.undo()
    assert load_checkpoint(tmp_path / "last.pt")["count"]["step"] == 14
    fit(Line(), settings(), tmp_path, resume=True)
    fit(Line(), settings(), tmp_path / "whole")
    assert same(load_checkpoint(tmp_path / "whole" / "last.pt"), load_checkpoint(tmp_path / "last.pt"))


def test_mistakes_in_a_problem_are_named(tmp_path):
    for change, message in (
        ({"loss": lambda *_: 1.0}, "got a float"),
        ({"loss": lambda *_: torch.ones(2, requires_grad=True)}, "got a tensor .2,."),
        ({"loss": lambda *_: torch.tensor(1.0)}, "does not depend"),
        ({"validate": lambda *_: None}, "must return numbers by name"),
        ({"validate": lambda *_: {"loss": "low"}}, "must return numbers by name"),
        ({"network": None}, "must be a torch module"),
        ({"network": nn.Linear(3, 2).requires_grad_(False)}, "no parameter that requires a gradient"),
    ):
        problem = Line()
        for name, value in change.items():
            setattr(problem, name, value)
        with pytest.raises(OptionError, match=message):
            fit(problem, settings(), tmp_path)
    for wrong in (None, {"steps": 3}):
        with pytest.raises(OptionError, match="FitSettings"):
            fit(Line(), wrong, tmp_path)
    with pytest.raises(OptionError, match="no network"):
        fit(None, settings(), tmp_path)
    with pytest.raises(OptionError, match="must be a path"):
        fit(Line(), settings(), None)


def test_what_this_machine_cannot_do_is_named(tmp_path):
    for changes in ({"accelerator": "abacus"}, {"precision": "3-mixed"}):
        with pytest.raises(OptionError, match=f"{next(iter(changes))}={next(iter(changes.values()))}"):
            fit(Line(), settings(**changes), tmp_path)
