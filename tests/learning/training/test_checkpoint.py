"""Files of a run: never half written, read without running code, and refused where they do not fit."""

import os

import pytest
import torch
from torch import nn

import diffkin as dk
from diffkin.errors import ModelFileError, OptionError
from diffkin.learning.training.checkpoint import (
    load_checkpoint,
    load_tensors,
    load_weights,
    save_checkpoint,
    save_tensors,
    weights_of,
)


def test_checkpoints_never_run_code(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    torch.save({"network": Trap()}, tmp_path / "last.pt")
    with pytest.raises(ModelFileError):
        load_checkpoint(tmp_path / "last.pt")
    assert not (tmp_path / "sprung").exists()


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"step": 1})
    with pytest.raises(Exception, match="pickle"):
        save_checkpoint(path, {"step": lambda: 2})
    assert load_checkpoint(path) == {"step": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"]


@pytest.mark.parametrize("content", [b"", b"rubbish", None])
def test_what_is_no_checkpoint_is_named(content, tmp_path):
    path = tmp_path / "last.pt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelFileError, match="cannot be read as a checkpoint"):
        load_checkpoint(path)
    torch.save([1, 2], path)
    with pytest.raises(ModelFileError, match="holds a list"):
        load_checkpoint(path)


def test_weights_go_into_a_network_of_the_same_make_only():
    first, second = nn.Linear(3, 2), nn.Linear(3, 2)
    load_weights(second, first.state_dict(), "the file")
    assert torch.equal(first.weight, second.weight) and torch.equal(first.bias, second.bias)
    with pytest.raises(OptionError, match="the file holds another model: weight is .2, 3. there and .2, 4."):
        load_weights(nn.Linear(4, 2), first.state_dict(), "the file")
    with pytest.raises(OptionError, match="bias is .2,. there and absent"):
        load_weights(nn.Linear(3, 2, bias=False), first.state_dict(), "the file")


def test_tensors_and_their_header_come_back(tmp_path):
    path = tmp_path / "model.safetensors"
    tensors = {"a.x": torch.arange(3.0), "a.y": torch.eye(2, dtype=torch.float64), "b.x": torch.ones(1)}
    save_tensors(path, {"name": "model", "sizes": [1, 2]}, tensors)
    header, back = load_tensors(path)
    assert header == {"format": 2, "diffkin": dk.__version__, "name": "model", "sizes": [1, 2]}
    assert back.keys() == tensors.keys() and all(torch.equal(back[name], tensors[name]) for name in tensors)
    assert weights_of("a", back).keys() == {"x", "y"}
    with pytest.raises(ModelFileError, match="cannot be read as a network"):
        load_tensors(tmp_path / "none.safetensors")
