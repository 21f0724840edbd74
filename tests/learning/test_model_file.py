"""One call reads saved networks of any kind: by file, or by a folder that holds one."""

import pytest

import diffkin as dk
from diffkin import learning
from diffkin.errors import ModelFileError
from diffkin.learning import IKNetwork, make_network
from diffkin.learning.policy import Policy, make_policy, save_policy, trial_craft


def test_what_was_saved_comes_back_as_its_kind(tmp_path):
    (tmp_path / "arm").mkdir()
    (tmp_path / "craft").mkdir()
    network = make_network(dk.load_robot("planar_2r"), {"name": "through_fk", "width": 8})
    learning.save(network, tmp_path / "arm" / "network.safetensors")
    save_policy(make_policy("pd"), trial_craft(), tmp_path / "craft" / "pd.safetensors")
    for path in (tmp_path / "arm", tmp_path / "arm" / "network.safetensors"):
        assert isinstance(learning.load(path), IKNetwork)
    for path in (tmp_path / "craft", str(tmp_path / "craft" / "pd.safetensors")):
        assert isinstance(learning.load(path), Policy)


def test_a_folder_with_several_policies_asks_which_one(tmp_path):
    with pytest.raises(ModelFileError, match="it holds none"):
        learning.load(tmp_path)
    for name in ("first", "second"):
        save_policy(make_policy("pd"), trial_craft(), tmp_path / f"{name}.safetensors")
    with pytest.raises(ModelFileError, match=r"first\.safetensors, second\.safetensors"):
        learning.load(tmp_path)
