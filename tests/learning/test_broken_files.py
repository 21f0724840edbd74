"""Every reader of learning and calibration against files that are broken: a clear error, or what was written."""

import csv
import io
import json
import random

import numpy as np
import pytest
import torch

import diffkin as dk
from diffkin import learning
from diffkin.calibration import Measurements, read_measurements, write_measurements
from diffkin.errors import DiffkinError, ModelFileError
from diffkin.learning import make_network
from diffkin.learning.filter import CSV_COLUMNS, read_broad, read_csv
from diffkin.learning.inverse import DatasetSettings, StoredPairs, write_shard
from diffkin.learning.inverse.data.shards import shard_path
from diffkin.learning.policy import make_policy, save_policy, trial_craft
from diffkin.learning.training import read_metrics
from diffkin.learning.training.checkpoint import load_checkpoint
from diffkin.learning.training.log import MetricsLog
from diffkin.learning.training.loop import fit
from tests.learning.broken import ODD, broken_bytes, broken_values, contents, rewrite
from tests.learning.filter.sample_records import records
from tests.learning.training.test_loop import Line, settings


def attempt(read, count):
    """What reading gives, None for a clear error; anything else gets through and fails the test."""
    try:
        return read()
    except DiffkinError as error:
        count.append(error)
    return None


def same_weights(first, second) -> bool:
    first, second = first.state_dict(), second.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("kind", ["chain_flow", "policy"])
def test_networks_and_policies(kind, tmp_path):
    path = tmp_path / "file.safetensors"
    if kind == "policy":
        good = make_policy("residual", {"width": 6})
        save_policy(good, trial_craft(), path)
    else:
        good = make_network(dk.load_robot("planar_2r"), {"name": kind, "width": 6, "depth": 2, "pieces": 3})
        learning.save(good, path)
    content, errors = path.read_bytes(), []
    for data in broken_bytes(content, 120, seed=1):  # with the checksum: an error, or exactly what was written
        path.write_bytes(data)
        again = attempt(lambda: learning.load(path), errors)
        assert again is None or same_weights(again, good)
    assert len(errors) > 100
    path.write_bytes(content)
    tensors, header = contents(path)
    before = len(errors)
    for changed in broken_values(header, 200, seed=2):  # without one, as files of format 1: an error, or some network
        rewrite(path, tensors, changed)
        attempt(lambda: learning.load(path), errors)
    assert len(errors) > before + 100
    draw = random.Random(3)
    for _ in range(60):
        name = draw.choice(list(tensors))
        odd = draw.choice(
            [
                torch.zeros(3, 3),
                torch.full_like(tensors[name], torch.nan),
                torch.zeros(0),
                torch.tensor(1),
                tensors[name].to(torch.int8),
                None,
            ]
        )
        changed = {key: value for key, value in tensors.items() if key != name} | ({} if odd is None else {name: odd})
        rewrite(path, changed, header)
        attempt(lambda: learning.load(path), errors)
    for text in (
        "{}",
        "[]",
        "null",
        "[" * 100_000,
        '{"a":' * 100_000,
        "{" * 10,
        '"x"',
        "1" * 5000,
        json.dumps(header)[:-5],
    ):
        rewrite(path, tensors, text)
        with pytest.raises(ModelFileError, match="cannot be read as a network"):
            learning.load(path)
    for key, huge in (("depth", 10**9), ("width", 10**9), ("width", 60_000), ("depth", 256), ("pieces", 10**9)):
        changed = json.loads(json.dumps(header))
        changed["network" if kind == "chain_flow" else "settings"][key] = huge
        rewrite(path, tensors, changed)
        with pytest.raises(ModelFileError, match=f"cannot be read as a network.*{key}"):
            learning.load(path)


def test_shards(tmp_path):
    robot = dk.load_robot("planar_2r")
    for shard in range(2):
        write_shard(robot, DatasetSettings(count=40, shards=2), shard, tmp_path)
    good = StoredPairs(tmp_path, robot)
    want = [tuple(part.clone() for part in good[k]) for k in range(40)]
    path, errors = shard_path(tmp_path, 1, 2), []  # the second one
    content = path.read_bytes()

    def check():
        found = attempt(lambda: StoredPairs(tmp_path, robot), errors)
        assert found is None or all(map(torch.equal, found[k], want[k]) for k in range(40))
        if found is None:
            assert path.name in str(errors[-1]) and "make_dataset.py again" in str(errors[-1])

    for data in broken_bytes(content, 150, seed=4):
        path.write_bytes(data)
        check()
    assert len(errors) > 130
    path.write_bytes(content)
    tensors, header = contents(path)
    header["format"] = 2
    for changed in broken_values(header, 100, seed=5):
        rewrite(path, tensors, changed)
        attempt(lambda: StoredPairs(tmp_path, robot), errors)
        attempt(lambda: write_shard(robot, DatasetSettings(count=40, shards=2), 0, tmp_path), errors)
    for text in ("{}", "[" * 100_000, "null"):
        rewrite(path, tensors, text)
        with pytest.raises(ModelFileError, match="00001-of-00002.*cannot be read as a shard"):
            StoredPairs(tmp_path, robot)
    path.write_bytes(content[:-100])
    with pytest.raises(ModelFileError, match="00001-of-00002.*cannot be read as a shard.*make_dataset.py again"):
        StoredPairs(tmp_path, robot)
    for shards in (10**7, 10**9, 99_999):  # in the first one, which says how many there are
        tensors, header = contents(shard_path(tmp_path, 0, 2))
        rewrite(shard_path(tmp_path, 0, 2), tensors, {**header, "shards": shards, "count": 10**10})
        with pytest.raises(ModelFileError, match="shards"):
            StoredPairs(tmp_path, robot)
        write_fresh(robot, tmp_path)


def write_fresh(robot, folder):
    for shard in range(2):
        shard_path(folder, shard, 2).unlink(missing_ok=True)
    for shard in range(2):
        write_shard(robot, DatasetSettings(count=40, shards=2), shard, folder)


def same_state(first, second):
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same_state(first[key], second[key]) for key in first)
    if isinstance(first, list):
        return len(first) == len(second) and all(map(same_state, first, second))
    return torch.equal(first, second) if isinstance(first, torch.Tensor) else first == second


def test_checkpoints(tmp_path):
    fit(Line(), settings(steps=14), tmp_path)
    path, errors = tmp_path / "last.pt", []
    content, good = path.read_bytes(), load_checkpoint(path)
    for data in broken_bytes(content, 200, seed=6):
        path.write_bytes(data)
        found = attempt(lambda: load_checkpoint(path), errors)
        assert found is None or same_state(found, good)
    assert len(errors) > 150


def go_on(folder):
    problem = Line()
    fit(problem, settings(steps=16, validate_every=2), folder, resume=True)
    return problem.network


def leaves(value, way=()):
    yield way
    if isinstance(value, dict):
        for key in value:
            yield from leaves(value[key], (*way, key))
    if isinstance(value, (list, tuple)):
        for index in range(len(value)):
            yield from leaves(value[index], (*way, index))


def test_runs_that_go_on_from_checkpoints_with_parts_missing_or_swapped(tmp_path):
    """Each part of last.pt, dropped and swapped for odd values: a clear error, or weights that are finite."""
    fit(Line(), settings(steps=14, validate_every=7), tmp_path)
    path, errors, tried = tmp_path / "last.pt", [], 0
    content, best = path.read_bytes(), (tmp_path / "best.pt").read_bytes()
    draw = random.Random(7)
    odd = [*ODD, torch.zeros(2), torch.tensor(float("nan")), torch.full((2, 3), torch.nan)]
    ways = [way for way in leaves(load_checkpoint(path)) if way]
    for way in ways:
        for change in ("drop", draw.choice(odd), draw.choice(odd)):
            state = torch.load(io.BytesIO(content), weights_only=True)
            node = state
            for key in way[:-1]:
                node = node[key]
            if not isinstance(node, (dict, list)):
                continue
            if isinstance(change, str) and change == "drop":
                del node[way[-1]]
            else:
                node[way[-1]] = change
            torch.save(state, path)
            (tmp_path / "best.pt").write_bytes(best)
            network = attempt(lambda: go_on(tmp_path), errors)
            tried += 1
            assert network is None or all(bool(part.isfinite().all()) for part in network.parameters())
    assert tried > 80 and 30 < len(errors) < tried


def test_logs(tmp_path):
    log, errors = MetricsLog(tmp_path), []
    for step in range(1, 6):
        log.add({"step": step, "loss": 1.0 / step})
    content = log.path.read_bytes()
    for data in broken_bytes(content, 300, seed=8):
        log.path.write_bytes(data)
        rows = attempt(lambda: read_metrics(log.path), errors)
        assert rows is None or all(isinstance(value, float) for row in rows for value in row.values())
        log.path.write_bytes(data)
        attempt(lambda: MetricsLog(tmp_path, after=3), errors)
    assert len(errors) > 100
    for garbage in (
        b"\x00\xff\xfe garbage\n",
        b"step,loss\n1,low\n",
        b"step,loss\n1\n",
        b"1,2\n3,4\n",
        b"step,step\n1,1\n",
        b'"\n',
    ):
        log.path.write_bytes(garbage)
        with pytest.raises(ModelFileError, match="metrics.csv"):
            read_metrics(log.path)
    log.path.write_bytes(b"loss\n1\n")
    with pytest.raises(ModelFileError, match="no column 'step'"):
        MetricsLog(tmp_path, after=3)
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_metrics(tmp_path / "none.csv")


def test_measurements(tmp_path):
    robot = dk.load_robot("planar_2r")
    q = robot.sample(6)
    path, errors = tmp_path / "measured.csv", []
    write_measurements(path, robot, Measurements.of_poses(q, robot.forward_kinematics(q), 1e-3, 1e-3))
    content = path.read_bytes()
    for data in broken_bytes(content, 400, seed=9):
        path.write_bytes(data)
        found = attempt(lambda: read_measurements(path, robot, 1e-3, 1e-3), errors)
        assert found is None or bool(found.q.isfinite().all())
    assert len(errors) > 100


def test_records_in_csv(tmp_path):
    path, errors = tmp_path / "record.csv", []
    data = records(1, seconds=1.0)
    with open(path, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["time_s", *CSV_COLUMNS])
        rows = torch.cat([data.gyro, -9.81 * data.down, data.field, data.truth], 1)[..., 0]
        table.writerows([0.02 * k, *row] for k, row in enumerate(rows.tolist()))
    content = path.read_bytes()
    for data in broken_bytes(content, 300, seed=10):
        path.write_bytes(data)
        found = attempt(lambda: read_csv(path), errors)
        assert found is None or bool(found.gyro.isfinite().all() and found.first.isfinite().all())
    assert len(errors) > 80


def test_records_of_broad(tmp_path):
    from scipy.io import savemat

    n, draw, errors = 30, np.random.default_rng(11), []
    good = {
        "imu_gyr": draw.normal(size=(n, 3)), "imu_acc": draw.normal(size=(n, 3)) + [0, 0, 9.8], "imu_mag": draw.normal(size=(n, 3)) + [0, 30, -30],
        "opt_quat": np.tile([1.0, 0, 0, 0], (n, 1)), "movement": np.ones((n, 1)), "sampling_rate": 286.0,
    }  # fmt: skip
    path = tmp_path / "01.mat"
    for compressed in (False, True):
        savemat(path, good, do_compression=compressed)
        content = path.read_bytes()
        for data in broken_bytes(content, 150, seed=12):
            path.write_bytes(data)
            found = attempt(lambda: read_broad(tmp_path), errors)
            assert found is None or bool(found["01"].gyro.isfinite().all())
    assert len(errors) > 100
    for name in good:
        for odd in (
            "text",
            np.zeros((n, 2)),
            np.zeros((0, 3)),
            np.full((n, 3), np.nan),
            np.zeros((n - 1, 3)),
            0.0,
            -1.0,
            1j * np.ones((n, 3)),
            np.array([{}, 1], dtype=object),
        ):
            savemat(path, {**good, name: odd})
            attempt(lambda: read_broad(tmp_path), errors)
        savemat(path, {key: value for key, value in good.items() if key != name})
        with pytest.raises(ModelFileError, match="cannot be read as a record of BROAD"):
            read_broad(tmp_path)
