"""Shuffles between four vectors and rows of four, on values instead of registers."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from diffkin.kernels.vectors.transpose import columns_of, rows_of


class _Values(np.ndarray):
    """Numbers that say how many they are, as values of LLVM do."""

    @property
    def type(self):
        return SimpleNamespace(count=len(self))


class _Builder:
    """Carries shuffles out instead of writing them down."""

    def shuffle_vector(self, a, b, places):
        return np.concatenate([a, b])[[place.constant for place in places.constant]].view(_Values)


@pytest.mark.parametrize(("lanes", "bits"), [(4, 64), (8, 64), (16, 64), (8, 32), (16, 32), (32, 32)])
def test_there_and_back(lanes, bits):
    columns = [(np.arange(lanes) + 100 * k).view(_Values) for k in range(4)]
    rows = rows_of(_Builder(), columns, bits)
    assert np.array_equal(np.stack(rows), np.stack(columns).T)
    assert np.array_equal(np.stack(columns_of(_Builder(), rows)), np.stack(columns))
