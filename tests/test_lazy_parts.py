"""Parts that are imported when first asked for: Tab finds them, and importing diffkin brings none of them along."""

import pkgutil

import pytest

import diffkin
from tests.fresh import run_code

LAZY = diffkin._LAZY


def test_tab_finds_every_part_of_the_package():
    parts = {module.name for module in pkgutil.iter_modules(diffkin.__path__) if module.ispkg}
    assert parts - {"kernels", "robot", "assets"} <= set(dir(diffkin))
    assert set(LAZY) <= parts and set(diffkin.__all__) <= set(dir(diffkin))


@pytest.mark.parametrize("name", LAZY)
def test_a_part_comes_when_it_is_asked_for_and_not_before(name):
    code = f"import sys, diffkin as dk; assert 'diffkin.{name}' not in sys.modules; print(dk.{name}.__name__)"
    done = run_code(code)
    assert done.stdout.strip() == f"diffkin.{name}", done.stderr


def test_what_is_no_part_is_no_attribute():
    with pytest.raises(AttributeError, match="has no attribute 'lerning'"):
        diffkin.lerning  # noqa: B018
