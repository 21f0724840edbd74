"""The words of the guide pages: terms stand in single asterisks where a page first uses them, and in the glossary."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
GUIDES = [
    "kinematics", "inverse-kinematics", "rotations", "aircraft", "attitude", "learning", "attitude-learning",
    "calibration", "branches", "paths", "pictures", "speed", "how-to/limits-and-nearest", "how-to/locked-and-free",
    "how-to/two-hands", "how-to/tool-frames", "how-to/whole-bodies", "how-to/deploy-a-network", "how-to/modes-and-workers",
]  # fmt: skip

JARGON = """
accelerometer; active set; adjoint; aileron; airframe; analytic formula; angular momentum; attitude; autocast; azimuth;
bank angle; base; body axes; boresight; branch; calibration; cascade; chart; checkpoint; reduced chi-square; clustering;
complementary filter; continuous joint; control surface; covariance; Cramer-Rao bound; damping; data-parallel training;
DBSCAN; Denavit-Hartenberg parameters; discrete adjoint; ECEF; elevation; elevator; ENU axes; equilibrium; Euler angles;
explicit Euler method; explicit midpoint method; exponential map; extrinsic; feed-forward; FLU axes; fork; forward kinematics;
forward mode; FRD axes; frame; free base; Gauss-Newton method; geodesic distance; geodetic coordinates; geometric Jacobian; gimbal;
gradient descent; gyroscope; gyroscope bias; held-out set; Hessian; inertia matrix; inference mode; information matrix;
integrator; intrinsic; inverse kinematics; Jacobian; joint; joint limit; Joseph form; Karush-Kuhn-Tucker conditions;
keep-out cone; kernel; lag; least squares; Levenberg-Marquardt method; link; locked joint; logarithm map;
low-discrepancy sequence; magnetometer; manipulability; maximum mean discrepancy; mimic joint; minimum-jerk profile;
mixture of normals; modified Rodrigues parameters; multiplicative extended Kalman filter; NED axes; Newton's method;
normalizing flow; null space; nullity; outlier; parameter sweep; PD control; percentile; pitch; pole; policy; pose;
principal component; priority; prismatic joint; probability density; pseudo-inverse; purity; quadrotor; quantile; rank;
rational-quadratic spline; redundant; residual; revolute joint; Rodrigues vector; roll; rotation vector; rudder;
Runge-Kutta method; SE(3); settling time; singular value; singular value decomposition; SO(3); specific force; square-root law;
stability axes; stationary point; synergy; tangent; tip; tolerance; TRIAD; unit seed; URDF; vector-Jacobian product; Wahba's problem;
WGS 84; wind axes; worker; yaw
"""
"""What a reader with Python and no robotics does not know, by its entry in the glossary."""

NOT_PROSE = re.compile(
    r"```.*?```|`[^`\n]*`|\$\$.*?\$\$|\$[^$\n]*\$|!?\[[^\]]*\]\([^)]*\)|^#.*?$", re.DOTALL | re.MULTILINE
)
MARKED = re.compile(r"(?<!\*)\*(?![*\s])((?:(?!\n\n)[^*])+?)(?<!\s)\*(?!\*)")


def glossary() -> dict[str, set[str]]:
    """Entries with all their forms, in lower case."""
    with (ROOT / "notebooks" / "terms.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["en"]: {form.lower() for form in (row["en"], *row["forms_en"].split(";")) if form} for row in rows}


def jargon() -> list[str]:
    return [" ".join(name.split()) for name in JARGON.split(";")]


def unmarked(text: str, names: list[str], forms: dict[str, set[str]]) -> list[str]:
    """The terms that a page uses in its prose and never marks."""
    prose = NOT_PROSE.sub(" ", text)
    marked = {" ".join(word.split()).lower() for word in MARKED.findall(prose)}
    plain = " ".join(MARKED.sub(" . ", prose).split()).lower()
    return [
        name
        for name in names
        if not forms[name] & marked
        and any(re.search(rf"(?<![\w-]){re.escape(form)}(?![\w-])", plain) for form in forms[name])
    ]


def test_every_term_of_the_list_is_in_the_glossary() -> None:
    assert [name for name in jargon() if name not in glossary()] == []


@pytest.mark.parametrize("page", GUIDES)
def test_marked_terms_are_in_the_glossary(page: str) -> None:
    forms = set().union(*glossary().values())
    prose = NOT_PROSE.sub(" ", (DOCS / f"{page}.md").read_text(encoding="utf-8"))
    marked = [" ".join(word.split()) for word in MARKED.findall(prose)]
    unknown = [word for word in marked if word.lower() not in forms]
    assert unknown == [], "add to notebooks/terms.csv, or use **bold** for stress and _this_ for titles"


@pytest.mark.parametrize("page", GUIDES)
def test_terms_are_marked_on_each_page(page: str) -> None:
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    assert unmarked(text, jargon(), glossary()) == [], "set it in *single asterisks* where the page first uses it"


def test_every_guide_page_is_looked_at() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    guides = navigation[navigation.index("- Guides:") : navigation.index("- How to:")]
    named = {path.removesuffix(".md") for path in re.findall(r":\s+(\S+\.md)$", guides, re.MULTILINE)}
    named |= {path.relative_to(DOCS).with_suffix("").as_posix() for path in (DOCS / "how-to").glob("*.md")}
    assert named <= set(GUIDES)


def test_a_missing_mark_is_seen() -> None:
    forms = {"null space": {"null space", "null spaces"}}
    for text in ("the null\nspace of J", "(Null spaces)"):
        assert unmarked(text, ["null space"], forms) == ["null space"]
    for text in ("the *null space* of J, a null space", "`null space`", "# Null space", "non-null space"):
        assert unmarked(text, ["null space"], forms) == []
