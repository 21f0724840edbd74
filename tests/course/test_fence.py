"""The fence, apart from a submission: what it lets through and what it refuses, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import os, sys
sys.path.insert(0, sys.argv[1])
from diffkin.course import fence
folder = os.getcwd()
fence.limit_resources(500_000_000, 30.0)
fence.close_fence(folder)
def refused(action):
    try:
        action()
    except PermissionError as error:
        return str(error)
    return ""
import colorsys
print("library:", colorsys.rgb_to_hsv(1, 0, 0))
open("inside", "w").close()
print("outside:", refused(lambda: open("/tmp/outside", "w")))
print("prefix:", refused(lambda: open(folder + "x/file", "w")))
print("bytes:", refused(lambda: open(b"/tmp/outside", "wb")))
print("flags:", refused(lambda: os.open("/tmp/outside", os.O_RDWR | os.O_CREAT)))
print("up:", refused(lambda: open(folder + "/../x", "w")))
print("hook:", refused(lambda: __import__("gc").get_referrers(fence)))
print("limits:", refused(lambda: __import__("resource").setrlimit(0, (1, 1))))
import array
try:
    array.array("d", bytes(8)) * 10**9
except MemoryError:
    print("memory: refused")
"""


def test_fence(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(root)], capture_output=True, text=True, cwd=folder, timeout=200
    )
    lines = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert lines["library"] == "(0.0, 1.0, 1)", done.stderr
    for name in ("outside", "bytes", "flags", "prefix", "up"):
        assert lines[name].startswith("write"), name
    assert lines["hook"] == "gc.get_referrers"
    assert lines["limits"] == "resource.setrlimit"
    if sys.platform.startswith("linux"):
        assert lines["memory"] == "refused"
    assert [path.name for path in folder.iterdir()] == ["inside"]
    assert not (tmp_path / "ownx").exists()
