"""The arm that is calibrated in tests."""

import pytest
import torch

from diffkin.calibration.model import calibration_model


@pytest.fixture(scope="module")
def model(iiwa):
    tool = torch.eye(4, dtype=torch.float64)
    tool[:3, 3] = torch.tensor([0.03, 0.02, 0.1])
    return calibration_model(iiwa, tool)
