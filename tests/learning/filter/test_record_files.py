"""Records from files: a CSV of one's own, and BROAD's."""

import csv
import math

import pytest
import torch
from scipy.io import savemat

from diffkin import aircraft, rotations
from diffkin.errors import ModelFileError
from diffkin.learning.filter.record_files import CSV_COLUMNS, read_broad, read_csv
from diffkin.learning.filter.records import cut
from diffkin.learning.filter.run import rms_deg, run_records
from diffkin.learning.filter.simulated import simulate_records
from tests.learning.filter.sample_records import PERFECT


def write_csv(path, data, gaps=(), slow=None):
    rows = torch.cat([data.gyro, -9.81 * data.down, data.field, data.truth], 1)[..., 0]
    with open(path, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow([*reversed(CSV_COLUMNS), "time_s", "remark"])
        for k, row in enumerate(rows.tolist()):
            values = ["" if k in gaps and name.startswith("quat") else v for name, v in zip(CSV_COLUMNS, row)]
            if slow is not None and k not in slow:
                values = ["nan" if name.startswith("mag") else v for name, v in zip(CSV_COLUMNS, values)]
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


def test_a_slower_magnetometer_has_gaps(tmp_path):
    data = simulate_records(1, PERFECT, 0, torch.float64)
    write_csv(tmp_path / "flight.csv", data, slow=range(4, len(data.gyro), 5))
    found = read_csv(tmp_path / "flight.csv", torch.float64)
    there = torch.zeros(len(data.gyro), dtype=torch.bool)
    there[4::5] = True
    assert bool((found.field[~there] == 0.0).all())
    assert torch.allclose(found.field[there], data.field[there], atol=1e-9)
    # no reading until the fifth sample; the attitude of the first comes from there, back along the gyroscope
    assert float((found.first * data.truth[0]).sum().abs()) > 1.0 - 1e-9
    mag = torch.where(there[:, None], data.field[..., 0], torch.nan)
    start = aircraft.FilterState(found.first[:, 0], torch.zeros(3, dtype=torch.float64))
    for name, step, kind, gains in (
        ("mahony", aircraft.mahony_step, aircraft.MahonyGains, [1.0, 1.0, 0.1]),
        ("madgwick", aircraft.madgwick_step, aircraft.MadgwickGains, [0.1, 0.01]),
    ):
        ours = run_records(name, torch.tensor(gains, dtype=torch.float64), found)
        readings = data.gyro[1:, :, 0], -9.81 * data.down[1:, :, 0], mag[1:]
        theirs = aircraft.run_filter(step, start, *readings, found.dt, kind(*gains))[0]
        assert float((ours[1:, :, 0] * theirs).sum(-1).abs().min()) > 1.0 - 1e-6
    parts = cut(found, 1.0, 0.2)
    assert parts.count == 3 and bool(parts.first.isfinite().all())


def test_a_magnetometer_that_never_reads_is_refused(tmp_path):
    data = simulate_records(1, PERFECT, 0, torch.float64)
    write_csv(tmp_path / "flight.csv", data, slow=())
    with pytest.raises(ModelFileError, match="one reading of the magnetic field"):
        read_csv(tmp_path / "flight.csv")


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
