"""Without the optional packages learning is imported all the same, quickly, and says what to install where they are needed."""

import pytest

from diffkin.errors import MissingDependencyError
from diffkin.learning.optional import needed
from tests.fresh import run_code

BLOCKED = """
import sys
sys.modules.update(dict.fromkeys({names!r}))  # None: as if it were not installed
"""
OPTIONAL = ["lightning", "lightning_fabric", "rich", "zuko", "safetensors", "sklearn", "scipy", "tensorboard", "hydra", "omegaconf",
            "matplotlib", "pybullet", "mujoco", "lxml"]  # fmt: skip


def run(code: str, names: list[str]) -> str:
    done = run_code(BLOCKED.format(names=names) + code)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_a_module_that_is_there_and_one_that_is_not():
    assert needed("math", "This test").pi > 3
    with pytest.raises(
        MissingDependencyError,
        match=r"This test needs the package some-thing .*pip install some-thing.*diffkin\[train\]",
    ):
        needed("some_thing.inner", "This test", "some-thing")


def test_everything_is_imported_without_any_of_them():
    code = """
import diffkin.learning, diffkin.calibration
import diffkin.learning.policy, diffkin.learning.filter, diffkin.learning.inverse, diffkin.learning.training
print("imported")
"""
    assert run(code, OPTIONAL) == "imported\n"


def test_importing_loads_none_of_them():
    code = f"import diffkin.learning, diffkin.calibration; print(sorted(set({OPTIONAL!r}) & set(sys.modules)))"
    assert run(code, []) == "[]\n"


CALLS = {
    "lightning_fabric": ("lightning-fabric", "fit(problem, FitSettings(steps=1, batch=2, progress=False), folder)"),
    "rich": ("rich", "fit(problem, FitSettings(steps=1, batch=2), folder)"),
    "tensorboard": (
        "tensorboard",
        "fit(problem, FitSettings(steps=1, batch=2, progress=False, tensorboard=True), folder)",
    ),
    "safetensors": ("safetensors", "save(problem.network, folder + '/x.safetensors')"),
    "zuko": ("zuko", "make_network(robot, {'name': 'flow'})"),
    "scipy": ("scipy", "NearestSample(robot, 10)"),
}


@pytest.mark.parametrize("name", CALLS)
def test_what_is_missing_is_said_where_it_is_needed(name):
    package, call = CALLS[name]
    code = f"""
import tempfile, diffkin as dk
from diffkin.errors import MissingDependencyError
from diffkin.learning import FitSettings, IKProblem, NearestSample, fit, make_network, save
folder, robot = tempfile.mkdtemp(), dk.load_robot("planar_2r")
problem = IKProblem(make_network(robot, {{"name": "through_fk", "width": 4}}), held_out_count=3)
try:
    {call}
except MissingDependencyError as error:
    print(error)
"""
    assert f"pip install {package}" in run(code, [name])


def test_loading_without_safetensors_and_a_run_without_rich(tmp_path):
    code = f"""
import diffkin as dk
from diffkin.errors import MissingDependencyError
from diffkin.learning import FitSettings, IKProblem, fit, load, make_network
from diffkin.learning.inverse import StoredPairs
from diffkin.learning.filter import read_broad
folder, robot = {str(tmp_path)!r}, dk.load_robot("planar_2r")
problem = IKProblem(make_network(robot, {{"name": "through_fk", "width": 4}}), held_out_count=3)
assert fit(problem, FitSettings(steps=2, batch=2, progress=False), folder).step == 2
open(folder + "/pairs-00000-of-00001.safetensors", "w").close()
for call in (lambda: load(folder + "/x.safetensors"), lambda: StoredPairs(folder, robot), lambda: read_broad(folder)):
    try:
        call()
    except MissingDependencyError as error:
        print("missing")
"""
    assert run(code, ["rich", "safetensors", "scipy", "zuko", "sklearn", "tensorboard"]).count("missing\n") == 3
