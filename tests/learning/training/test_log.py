"""The table of metrics: rows cut short by a kill, and runs that go on."""

from diffkin.learning.training.log import MetricsLog, read_metrics


def test_rows_come_back(tmp_path):
    log = MetricsLog(tmp_path)
    rows = [{"step": 10, "loss": 0.1 + 0.2}, {"step": 20, "loss": 1e-17}]
    for row in rows:
        log.add(row)
    assert read_metrics(tmp_path / "metrics.csv") == rows  # to the last digit


def test_a_run_that_goes_on_drops_later_rows_and_one_cut_short(tmp_path):
    log = MetricsLog(tmp_path)
    for step in (10, 20, 30):
        log.add({"step": step, "loss": 1.0 / step})
    with open(log.path, "a") as file:
        file.write("40,0.02")  # killed while writing
    assert [row["step"] for row in read_metrics(log.path)] == [10, 20, 30]
    log = MetricsLog(tmp_path, after=20)
    log.add({"step": 30, "loss": 0.5})
    assert read_metrics(log.path) == [{"step": 10, "loss": 0.1}, {"step": 20, "loss": 0.05}, {"step": 30, "loss": 0.5}]


def test_a_new_run_starts_an_empty_table(tmp_path):
    MetricsLog(tmp_path).add({"step": 10, "loss": 1.0})
    MetricsLog(tmp_path)
    assert read_metrics(tmp_path / "metrics.csv") == []
