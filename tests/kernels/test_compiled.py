"""The flags of compilation, and what is said about a long one."""

from __future__ import annotations

import time
from types import SimpleNamespace

from diffkin.kernels import compiled


def _event(dispatcher: object) -> SimpleNamespace:
    return SimpleNamespace(data={"dispatcher": dispatcher})


def test_only_a_compilation_of_over_a_second_is_announced(capfd, monkeypatch):
    ours = SimpleNamespace(py_func=SimpleNamespace(__name__="slow_kernel"))
    theirs = SimpleNamespace(py_func=SimpleNamespace(__name__="another_package"))
    monkeypatch.setitem(compiled._kernels, id(ours), ours)
    monkeypatch.setattr(compiled._log, "disabled", True)  # what is printed counts, not what other tests' handlers print
    announcer = compiled._Announcer()
    announcer.on_start(_event(ours))
    announcer.on_start(_event(theirs))
    announcer.on_end(_event(ours))
    announcer.on_end(_event(theirs))
    time.sleep(1.2)
    assert capfd.readouterr().err == ""
    announcer.on_start(_event(ours))
    announcer.on_start(_event(theirs))
    time.sleep(1.2)
    announcer.on_end(_event(ours))
    announcer.on_end(_event(theirs))
    err = capfd.readouterr().err
    assert err.count("\n") == 1
    assert "slow_kernel" in err


def test_nan_keeps_its_meaning_in_kernels():
    assert not compiled.FLAGS & {"fast", "nnan", "ninf", "reassoc"}
