"""What a training shows."""

from diffkin.learning.training.progress import Progress


def test_without_a_bar_lines_are_printed_as_they_are(capsys):
    with Progress(10, 0, shown=False) as progress:
        progress.at(5)
        progress.line("step 5, loss [0.1]")
    assert capsys.readouterr().out == "step 5, loss [0.1]\n"


def test_with_a_bar_it_counts_and_ends(capsys):
    with Progress(10, 2, shown=True) as progress:
        assert progress.bar.tasks[0].completed == 2
        progress.at(10)
        progress.line("half way")
        assert progress.bar.finished
    assert not progress.bar.live.is_started
    assert "half way" in capsys.readouterr().out
