"""Every Python snippet of the documentation runs, and every page and picture that is named is there."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import pkgutil
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

import diffkin
from diffkin import calibration, learning

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
RUN = [
    "index.md",
    "installation.md",
    "quickstart.md",
    "conventions.md",
    "coming-from-pytorch-kinematics.md",
    "course.md",
    "kinematics.md",
    "inverse-kinematics.md",
    "paths.md",
    "rotations.md",
    "aircraft.md",
    "attitude.md",
    "attitude-learning.md",
    "calibration.md",
    "learning.md",
    "pictures.md",
    "demos.md",
    "how-to/limits-and-nearest.md",
    "how-to/locked-and-free.md",
    "how-to/two-hands.md",
    "how-to/tool-frames.md",
    "how-to/whole-bodies.md",
    "how-to/deploy-a-network.md",
    "how-to/modes-and-workers.md",
    "zh/index.md",
    "zh/installation.md",
    "zh/quickstart.md",
    "zh/course.md",
]
MY_URDF = """
<robot name="my">
  <link name="base"/><link name="wing_left"/><link name="nose_cone"/>
  <joint name="flap" type="revolute"><parent link="base"/><child link="wing_left"/><axis xyz="0 1 0"/>
    <limit lower="-1" upper="1" effort="1" velocity="1"/></joint>
  <joint name="pan" type="revolute"><parent link="base"/><child link="nose_cone"/><axis xyz="0 0 1"/>
    <limit lower="-1" upper="1" effort="1" velocity="1"/></joint>
</robot>
"""


def measured() -> dict[str, object]:
    """An arm that was measured, as the page on calibration has it."""
    robot = diffkin.load_robot("kuka_iiwa")
    q = robot.sample(40, seed=0)
    T = robot.forward_kinematics(q)
    data = calibration.Measurements(q, T[:, :3, 3], T[:, :3, :3], 1e-4, 1e-3)
    calibration.write_measurements("measured.csv", robot, data)
    return {"robot": robot, "tool": torch.eye(4, dtype=robot.dtype)}


def trained() -> dict[str, object]:
    """A network in the folder that the page on learning names, and poses for it."""
    robot = diffkin.load_robot("planar_3r")
    folder = Path("outputs/train_ik/...")
    folder.mkdir(parents=True)
    learning.save(learning.make_network(robot, {"name": "chain_flow"}), folder / "network.safetensors")
    return {"T_target": robot.forward_kinematics(robot.sample(3))}


GIVEN = {"calibration.md": measured, "learning.md": trained}
EXAMPLE_ROBOTS = {"how-to/two-hands.md", "how-to/whole-bodies.md"}
"""Pages whose robots are those of example-robot-data."""


@pytest.mark.parametrize("page", RUN)
def test_snippets_run_in_order(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my.urdf").write_text(MY_URDF, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    if page in EXAMPLE_ROBOTS:
        importlib.metadata.distribution("example-robot-data")  # the test is skipped where it is not installed
    snippets = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    assert snippets
    names: dict[str, object] = {"__name__": "__docs__"} | (GIVEN[page]() if page in GIVEN else {})
    dtype = torch.get_default_dtype()
    try:
        for number, snippet in enumerate(snippets):
            exec(compile(snippet, f"{page}, snippet {number}", "exec", dont_inherit=True), names)
    finally:
        torch.set_default_dtype(dtype)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)\)", page.read_text(encoding="utf-8"))
    assert [t for t in targets if "://" not in t and not (page.parent / t).exists()] == []


def test_navigation_holds_every_page() -> None:
    named = re.findall(r"[\s:]\s*(\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(page.relative_to(DOCS).as_posix() for page in PAGES)


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_what_the_code_gives() -> None:
    pages = generator()
    for path, text in {**pages.reference(), **pages.glossary(), **pages.courses()}.items():
        assert (DOCS / path).read_text(encoding="utf-8") == text, f"{path} is stale: run python docs/generate.py"
    for picture in (ROOT / "notebooks" / "images").glob("*.png"):
        assert (DOCS / "images" / "lessons" / picture.name).read_bytes() == picture.read_bytes(), picture.name


def public_modules() -> list[str]:
    """Modules of the package and its subpackages without a leading underscore whose package says what is public."""
    named = [name for _, _, modules in generator().REFERENCE for name in modules]
    packages = [
        f"diffkin.{info.name}"
        for info in pkgutil.iter_modules(diffkin.__path__)
        if not info.name.startswith("_") and info.name not in {"kernels", "assets", "precompile", "demos"}
    ]
    return sorted({*named, *packages})


@pytest.mark.parametrize("module", public_modules())
def test_reference_names_every_public_call(module: str) -> None:
    owner = importlib.import_module(module)
    pages = "".join(page.read_text(encoding="utf-8") for page in (DOCS / "api").glob("*.md"))
    named = [re.match(r"(\S+)\.(\w+)$", name).groups() for name in re.findall(r"^::: (\S+)$", pages, re.MULTILINE)]  # type: ignore[union-attr]
    shown = {id(getattr(importlib.import_module(at), name)) for at, name in named}
    assert owner.__all__
    assert [
        name for name in owner.__all__ if callable(getattr(owner, name)) and id(getattr(owner, name)) not in shown
    ] == []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The built site and what was said on the way."""
    if importlib.util.find_spec("zensical") is None:
        pytest.skip("zensical is not installed (pip install diffkin[docs])")
    folder = tmp_path_factory.mktemp("site")
    for name in ("docs", "diffkin"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "mkdocs.yml", folder)
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build"], cwd=folder, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site", done.stdout + done.stderr


def test_the_site_is_built_without_a_warning_and_loads_nothing_from_elsewhere(site: tuple[Path, str]) -> None:
    folder, said = site
    assert "Warning" not in said, said
    pages = list(folder.rglob("*.html"))
    assert len(pages) >= len(PAGES)
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe|source)[^>]*\ssrc=\"?(https?:[^\s\">]+)", text)
        loaded += re.findall(r"<link[^>]*rel=\"?(?:stylesheet|preconnect|icon)\"?[^>]*href=\"?(https?:[^\s\">]+)", text)
        assert loaded == [], page
    for sheet in folder.rglob("*.css"):
        assert re.findall(r"url\([\"']?(https?:[^)]+)\)", sheet.read_text(encoding="utf-8")) == [], sheet


def test_formulas_are_left_to_the_copy_of_katex_that_is_there(site: tuple[Path, str]) -> None:
    folder, _ = site
    text = (folder / "inverse-kinematics" / "index.html").read_text(encoding="utf-8")
    assert "katex.min.js" in text
    assert (folder / "assets" / "katex" / "katex.min.js").exists()
    fonts = re.findall(r"url\((fonts/[^)]+)\)", (folder / "assets/katex/katex.min.css").read_text(encoding="utf-8"))
    assert fonts
    assert [name for name in fonts if not (folder / "assets" / "katex" / name).exists()] == []


def test_extras_that_are_named_are_there() -> None:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.11 reads TOML")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    places = [*PAGES, *ROOT.glob("*.md"), *(ROOT / "notebooks").glob("*.md"), *(ROOT / "diffkin").rglob("*.py")]
    places += [*(ROOT / "scripts").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    named = {
        extra.strip()
        for place in places
        for group in re.findall(r"""(?:diffkin|["']\.)\[([a-z, ]+)\]""", place.read_text(encoding="utf-8"))
        for extra in group.split(",")
    }
    assert {"plot", "film", "viewer", "notebook"} <= named
    assert named <= set(extras)
    table = re.findall(r"^\| `(\w+)` \|", (DOCS / "installation.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert {"simulation", "scripts"} <= set(table) <= set(extras)
