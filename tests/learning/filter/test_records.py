"""Records of inertial sensors: simulated ones, CSV, BROAD's files, windows."""

import csv
import math

import pytest
import torch

from diffkin import rotations
from diffkin.errors import ModelFileError, OptionError, ShapeError
from diffkin.learning.filter.records import (
    CSV_COLUMNS,
    SimulationSettings,
    cut,
    read_broad,
    read_csv,
    simulate_records,
    stack,
)
from diffkin.learning.filter.steps import rms_deg, run_records

PERFECT = SimulationSettings(
    seconds=3.0, bias=0.0, gyro_noise=0.0, accel_noise=0.0, mag_noise=0.0, burst=0.0, settle=0.5
)


def test_simulated_sensors_say_what_the_motion_is():
    data = simulate_records(5, PERFECT, 0, torch.float64)
    truth = data.truth.movedim(1, -1)
    R = rotations.quat_xyzw_to_matrix(truth)
    assert torch.allclose(data.down.movedim(1, -1), R[..., 2, :], atol=1e-12)  # the vertical in body axes
    turned = rotations.quat_xyzw_multiply(rotations.quat_xyzw_inverse(truth[:-1]), truth[1:])
    rate = rotations.quat_xyzw_to_rotvec(turned) / data.dt
    assert torch.allclose(rate, data.gyro[1:].movedim(1, -1), atol=1e-9)
    north = (R.mT @ torch.tensor([0.5, 0.0, math.sqrt(0.75)], dtype=torch.float64).view(3, 1)).squeeze(-1)
    assert torch.allclose(data.field.movedim(1, -1), north, atol=1e-12)
    first = rotations.quat_xyzw_to_matrix(data.first.T)
    assert float(rotations.angle_between(first, R[0]).max()) < 1e-7


def test_noise_bias_and_bursts_are_as_large_as_said():
    noisy = SimulationSettings(seconds=8.0, bias=0.05, gyro_noise=0.01)
    clean = SimulationSettings(seconds=8.0, bias=0.0, gyro_noise=0.0)
    error = simulate_records(300, noisy, 3, torch.float64).gyro - simulate_records(300, clean, 3, torch.float64).gyro
    assert float(error.mean(0).std()) == pytest.approx(0.05, rel=0.1)
    assert float(error.std(0).mean()) == pytest.approx(0.01, rel=0.1)
    rough = SimulationSettings(seconds=8.0, accel_noise=0.0, burst=3.0)
    data = simulate_records(100, rough, 0, torch.float64)
    vertical = rotations.quat_xyzw_to_matrix(data.truth.movedim(1, -1))[..., 2, :]
    tilt = torch.linalg.vector_norm(torch.linalg.cross(data.down.movedim(1, -1), vertical), dim=-1)
    assert 0.1 < float(tilt.max()) < 0.7


def test_simulated_records_repeat_and_differ_by_seed():
    first, again, other = (simulate_records(2, PERFECT, seed) for seed in (0, 0, 1))
    assert torch.equal(first.gyro, again.gyro) and not torch.equal(first.gyro, other.gyro)
    assert first.gyro.dtype == torch.float32


def write_csv(path, data, gaps=()):
    rows = torch.cat([data.gyro, -9.81 * data.down, data.field, data.truth], 1)[..., 0]
    with open(path, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow([*reversed(CSV_COLUMNS), "time_s", "remark"])
        for k, row in enumerate(rows.tolist()):
            values = ["" if k in gaps and name.startswith("quat") else v for name, v in zip(CSV_COLUMNS, row)]
            table.writerow([*reversed(values), k * data.dt, "x"])


def test_a_csv_of_ones_own(tmp_path):
    data = simulate_records(1, PERFECT, 0, torch.float64)
    write_csv(tmp_path / "flight.csv", data, gaps=range(20, 50))
    found = read_csv(tmp_path / "flight.csv", torch.float64)
    assert found.dt == pytest.approx(data.dt)
    for name in ("gyro", "down", "field", "first"):
        assert torch.allclose(getattr(found, name), getattr(data, name), atol=1e-9)
    assert float(found.counts.sum()) == len(data.counts) - 30
    gains = torch.tensor([1.0, 1.0, 0.1], dtype=torch.float64)
    assert float(rms_deg(run_records("mahony", gains, found), found)) < 1e-4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time_s,gyro_x\n0,1\n", "no column gyro_y"),
        (",".join(["time_s", *CSV_COLUMNS]) + "\n" + ",".join(["0"] * 14) + "\n", "at least two"),
        (",".join(["time_s", *CSV_COLUMNS]) + "\n" + ",".join(["hello"] * 14) + "\n", "hello"),
        (
            ",".join(["time_s", *CSV_COLUMNS]) + "\n" + "".join(f"{t}" + ",0" * 12 + ",1\n" for t in (0, 1, 2, 5)),
            "evenly spaced",
        ),
        (
            ",".join(["time_s", *CSV_COLUMNS]) + "\n" + "".join(f"{t}" + ",1" * 9 + "," * 4 + "\n" for t in range(4)),
            "no sample with a known attitude",
        ),
    ],
    ids=["columns", "short", "words", "uneven", "no truth"],
)
def test_csv_files_that_cannot_be(text, message, tmp_path):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(ModelFileError, match=message):
        read_csv(tmp_path / "bad.csv")


def as_broad(data):
    """Turn a record to BROAD's axes by hand: FLU body, ENU frame, w first."""
    flip = torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64)
    R_ned = rotations.quat_xyzw_to_matrix(data.truth[..., 0])
    enu_ned = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]], dtype=torch.float64)
    quat = rotations.matrix_to_quat_xyzw(enu_ned @ R_ned @ torch.diag(flip)).roll(1, -1)
    return {
        "imu_gyr": (data.gyro[..., 0] * flip).numpy(),
        "imu_acc": (-9.81 * data.down[..., 0] * flip).numpy(),
        "imu_mag": (40.0 * data.field[..., 0] * flip).numpy(),
        "opt_quat": quat.numpy(),
        "movement": (data.counts.numpy() > 0).astype("uint8").T,
        "sampling_rate": 1.0 / data.dt,
    }


def test_the_broad_data_set(tmp_path):
    from scipy.io import savemat

    (tmp_path / "data_mat").mkdir()
    data = simulate_records(1, PERFECT, 0, torch.float64)
    content = as_broad(data)
    content["opt_quat"][60:70] = math.nan
    savemat(tmp_path / "data_mat" / "01_undisturbed_slow_rotation_A.mat", content)
    savemat(
        tmp_path / "data_mat" / "02_undisturbed_slow_rotation_B.mat",
        as_broad(simulate_records(1, PERFECT, 1, torch.float64)),
    )
    found = read_broad(tmp_path, dtype=torch.float64)
    assert list(found) == ["01_undisturbed_slow_rotation_A", "02_undisturbed_slow_rotation_B"]
    first = found["01_undisturbed_slow_rotation_A"]
    for name in ("gyro", "down", "field", "first"):
        assert torch.allclose(getattr(first, name), getattr(data, name), atol=1e-7)
    assert float(first.counts.sum()) == float(data.counts.sum()) - 10
    gains = torch.tensor([1.0, 1.0, 0.1], dtype=torch.float64)
    assert float(rms_deg(run_records("mahony", gains, first), first)) < 1e-4
    assert list(read_broad(tmp_path, ["02_"])) == ["02_undisturbed_slow_rotation_B"]


def test_folders_without_broad(tmp_path):
    with pytest.raises(ModelFileError, match="no .mat files"):
        read_broad(tmp_path)
    (tmp_path / "bad.mat").write_bytes(b"no data")
    with pytest.raises(ModelFileError, match="cannot be read as a record of BROAD"):
        read_broad(tmp_path)


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
    with pytest.raises(OptionError, match="settle"):
        simulate_records(1, SimulationSettings(seconds=1.0, settle=2.0))
