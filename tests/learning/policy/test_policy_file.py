"""Files of policies: what comes back, and files that hold other things."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from diffkin import learning
from diffkin.errors import ModelFileError
from diffkin.learning.policy.craft import trial_craft
from diffkin.learning.policy.make import POLICIES, make_policy, settings_of
from diffkin.learning.policy.policy_file import save_policy
from tests.learning.policy.states import states


@pytest.mark.parametrize("kind", POLICIES)
def test_files_bring_back_the_policy_and_its_body(kind, tmp_path):
    state, craft = states()
    policy = make_policy(kind, seed=2)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(0.01)
    save_policy(policy, craft, tmp_path / "policy.safetensors")
    for path in (tmp_path / "policy.safetensors", tmp_path):  # the only one in its folder
        loaded = learning.load(path)
        assert torch.equal(loaded(state, loaded.craft), policy(state, craft))
        assert settings_of(loaded) == settings_of(policy)
        assert (loaded.craft.lag, loaded.craft.dt) == (craft.lag, craft.dt)
        assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_files_that_hold_other_things_are_refused(tmp_path):
    path = tmp_path / "policy.safetensors"
    save_policy(make_policy("pd"), trial_craft(), path)
    with safe_open(path, "pt") as opened:
        header = json.loads(opened.metadata()["diffkin"])
    del header["checksum"]
    header["format"] = 1  # which had none
    tensors = load_file(path)
    changes = (
        ({"policy": "os.system"}, {}, "os.system"),
        ({"settings": {"k_rate": 9.0, "code": "print()"}}, {}, "code"),
        ({"policy": "cascade", "settings": {}}, {}, "holds another model"),
        ({"lag": -1.0}, {}, "lag must be a finite number above 0"),
        ({}, {"craft.limit": torch.zeros(2)}, "limit"),
    )
    for heads, weights, message in changes:
        save_file(tensors | weights, path, metadata={"diffkin": json.dumps(header | heads)})
        with pytest.raises(ModelFileError, match=f"cannot be read as a network of diffkin.*{message}"):
            learning.load(path)
    del header["lag"]
    save_file(tensors, path, metadata={"diffkin": json.dumps(header)})
    with pytest.raises(ModelFileError, match="'lag'"):
        learning.load(path)
