"""The template of reports runs as it is, and names the three topics in both languages."""

from __future__ import annotations

import re
import warnings

import matplotlib
import nbformat
import torch

from notebooks.build import ROOT

REPORTS = ROOT / "reports"


def test_three_topics_in_both_languages() -> None:
    text = (REPORTS / "README.md").read_text(encoding="utf-8")
    topics = re.findall(r"^\d\. \*\*([^*]+) · ([^*]+)\*\*", text, re.MULTILINE)
    assert len(topics) == 3
    assert all(re.search("[\u4e00-\u9fff]", chinese) for _, chinese in topics)


def test_template_runs_and_every_text_has_both_languages() -> None:
    template = nbformat.read(REPORTS / "template.ipynb", as_version=4)
    nbformat.validate(template)
    matplotlib.use("Agg")
    names: dict = {}
    dtype = torch.get_default_dtype()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")
            for cell in template.cells:
                if cell.cell_type == "code":
                    exec(cell.source, names)
                else:
                    assert " · " in cell.source and re.search("[\u4e00-\u9fff]", cell.source)
    finally:
        torch.set_default_dtype(dtype)
        names["plt"].close("all")
    assert bool(names["result"].success.all())
