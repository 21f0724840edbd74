"""Write the pages that follow from the code and the table of terms: ``python docs/generate.py``.

The reference names every public call of every public module, and the glossary every row of ``notebooks/terms.csv``. The
pages are kept in the repository, so that they can be read without building; a test compares them with what this gives.
"""

from __future__ import annotations

import csv
import importlib
from pathlib import Path

DOCS = Path(__file__).parent
TERMS = DOCS.parent / "notebooks" / "terms.csv"

# Page, title, modules whose public names stand on it, in this order; a name is shown where it comes first.
REFERENCE = [
    ("robots", "Robots", ["diffkin.robot"]),
    ("kinematics", "Kinematics", ["diffkin.kinematics"]),
    ("inverse-kinematics", "Inverse kinematics", ["diffkin.ik", "diffkin.ik.tasks", "diffkin.ik.solvers"]),
    ("solutions", "All solutions of a pose", ["diffkin.ik.solutions"]),
    ("autograd", "Derivatives of any function", ["diffkin.autograd"]),
    ("rotations", "Rotations", ["diffkin.rotations"]),
    ("transforms", "Rigid transforms", ["diffkin.transforms"]),
    ("aircraft", "Aircraft", ["diffkin.aircraft"]),
    ("calibration", "Calibration", ["diffkin.calibration"]),
    (
        "learning",
        "Learning",
        [
            "diffkin.learning",
            "diffkin.learning.training",
            "diffkin.learning.inverse",
            "diffkin.learning.policy",
            "diffkin.learning.filter",
        ],
    ),
    ("simulation", "Simulation in PyBullet", ["diffkin.simulation"]),
    ("plotting", "Pictures and films", ["diffkin.plotting"]),
    ("demos", "Demos", ["diffkin.demos.scene", "diffkin.demos.arm"]),
    ("course", "Course", ["diffkin.course"]),
    ("errors", "Errors", ["diffkin.errors"]),
]


def reference() -> dict[str, str]:
    """The pages of the reference: path under ``docs`` and text."""
    pages: dict[str, str] = {}
    shown: set[int] = set()
    for page, title, modules in REFERENCE:
        lines = [f"# {title}", ""]
        for name in modules:
            module = importlib.import_module(name)
            lines += [f"## {name}" if len(modules) > 1 else "", (module.__doc__ or "").splitlines()[0], ""]
            constants = []
            for public in sorted(module.__all__, key=str.lower):
                value = getattr(module, public)
                if not callable(value):
                    constants.append(public)
                elif id(value) not in shown:
                    shown.add(id(value))
                    lines += [f"::: {name}.{public}", ""]
            if constants:
                lines += ["Constants: " + ", ".join(f"`{constant}`" for constant in constants) + ".", ""]
        pages[f"api/{page}.md"] = "\n".join(lines).replace("\n\n\n", "\n\n").rstrip() + "\n"
    links = "\n".join(f"- [{title}](api/{page}.md)" for page, title, _ in REFERENCE)
    pages["api.md"] = f"# Reference\n\nEvery public call of every public module, with shapes and units.\n\n{links}\n"
    return pages


def glossary() -> dict[str, str]:
    """The glossaries in both languages."""
    with TERMS.open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["en"].lower())
    english = "\n".join(f"| **{row['en']}** | {row['definition_en']} | {row['zh']} |" for row in rows)
    chinese = "\n".join(f"| **{row['zh']}** | {row['definition_zh']} | {row['en']} |" for row in rows)
    return {
        "glossary.md": "# Glossary\n\nThe words of the course and of these pages.\n\n"
        f"| Term | What it means | 中文 |\n|---|---|---|\n{english}\n",
        "zh/glossary.md": f"# 术语表\n\n课程与文档所用的术语。\n\n| 术语 | 含义 | 英文 |\n|---|---|---|\n{chinese}\n",
    }


def courses() -> dict[str, str]:
    """The pages on the course, with the titles of the lessons there are."""
    pages = {}
    for path, language, up in (("course.md", "en", ""), ("zh/course.md", "zh", "../")):
        rows = []
        for file in sorted((TERMS.parent / "lessons").glob("*.py")):
            cells = file.read_text(encoding="utf-8").split(f'# %% [markdown] lang="{language}"\n')
            title = cells[1].splitlines()[0].removeprefix("# # ").replace("\u3000", " ")
            rows.append(
                f"- {title} (`notebooks/{language}/{file.stem}.ipynb`)\n\n  ![{title}]({up}images/lessons/{file.stem}.png)"
            )
        text = (DOCS / path).read_text(encoding="utf-8")
        before, _, rest = text.partition("<!-- lessons: written by generate.py -->\n")
        after = rest.partition("<!-- end -->")[2]
        listed = "\n\n".join(rows)
        pages[path] = f"{before}<!-- lessons: written by generate.py -->\n\n{listed}\n\n<!-- end -->{after}"
    return pages


def main() -> None:
    """Write all pages."""
    for path, text in {**reference(), **glossary(), **courses()}.items():
        target = DOCS / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    (DOCS / "images" / "lessons").mkdir(exist_ok=True)
    for picture in sorted((TERMS.parent / "images").glob("*.png")):  # a site has what lies under docs alone
        (DOCS / "images" / "lessons" / picture.name).write_bytes(picture.read_bytes())
    print(f"wrote the reference and the glossary under {DOCS}")


if __name__ == "__main__":
    main()
