"""Writing files: whole or not at all, whatever happens on the way."""

import errno
import os
from pathlib import Path

import pytest

from diffkin import _files
from diffkin._files import make_folder, path_of, write_atomically, write_bytes_atomically
from diffkin.errors import ModelFileError, OptionError


def test_a_file_is_there_whole_or_not_at_all(tmp_path):
    path = tmp_path / "table.csv"

    def half(beside):
        beside.write_text("half")
        assert not path.exists()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, half)
    assert list(tmp_path.iterdir()) == []
    write_atomically(path, lambda beside: beside.write_text("whole"))
    assert path.read_text() == "whole"


def no_space(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("point", ["open", "fsync", "replace"])
def test_a_full_disk_is_a_clear_error_and_the_old_file_stays(point, tmp_path, monkeypatch):
    path = tmp_path / "table.csv"
    path.write_text("old")
    write = no_space if point == "open" else lambda file: file.write(b"new")
    if point != "open":
        monkeypatch.setattr(_files.os, point, no_space)
    with pytest.raises(
        ModelFileError, match=r"table\.csv cannot be written: No space left.*as it was.*Free some space"
    ):
        write_bytes_atomically(path, write)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_device_that_is_full(tmp_path):
    def fill(beside):
        with open("/dev/full", "wb") as file:
            file.write(b"x" * 100_000)

    with pytest.raises(ModelFileError, match="No space left"):
        write_atomically(tmp_path / "table.csv", fill)
    assert list(tmp_path.iterdir()) == []


def test_folders_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelFileError, match="cannot be made"):
        make_folder(tmp_path / "file" / "folder")
    with pytest.raises(ModelFileError, match="none.x cannot be written"):
        write_bytes_atomically(tmp_path / "none" / "x", lambda file: file.write(b""))
    assert make_folder(str(tmp_path / "a" / "b")).is_dir()


@pytest.mark.parametrize("wrong", [None, 3, b"bytes", "", "a\0b", ["a"]])
def test_what_is_no_path(wrong):
    with pytest.raises(OptionError, match="must be a path"):
        path_of(wrong)
