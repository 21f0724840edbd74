"""Every Python snippet of the documentation runs, and every page and picture that is named is there."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
RUN = [
    "index.md",
    "kinematics.md",
    "inverse-kinematics.md",
    "paths.md",
    "rotations.md",
    "aircraft.md",
    "attitude-learning.md",
    "zh/index.md",
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


@pytest.mark.parametrize("page", RUN)
def test_snippets_run_in_order(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my.urdf").write_text(MY_URDF, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    snippets = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    assert snippets
    names: dict[str, object] = {"__name__": "__docs__"}
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
    named = re.findall(r":\s+(\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(page.relative_to(DOCS).as_posix() for page in PAGES)


def test_reference_names_what_exists() -> None:
    for name in re.findall(r"^::: (\S+)$", (DOCS / "api.md").read_text(encoding="utf-8"), re.MULTILINE):
        module, _, last = name.rpartition(".")
        parent = importlib.import_module(module)
        assert hasattr(parent, last) or importlib.import_module(name), name
