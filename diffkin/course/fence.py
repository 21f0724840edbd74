"""The fence round a submission: limits on time and memory, and an audit hook that refuses what an answer has no need of.

Runs in the submission's own process, after torch is loaded and before any of the submission's code. An audit hook cannot
be taken off again from Python, and sees files, processes, sockets and foreign functions. It is a fence against accidents
and lazy cheating, not a wall against a determined attacker: for that, run the grader in a container or a virtual machine.
Knows torch and not diffkin.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

__all__ = ["close_fence", "limit_resources"]

_REFUSED = (
    "ctypes.",
    "ftplib.",
    "gc.get_",
    "http.",
    "imaplib.",
    "nntplib.",
    "os.add_dll",
    "os.chdir",
    "os.chflags",
    "os.chmod",
    "os.chown",
    "os.exec",
    "os.fork",
    "os.kill",
    "os.link",
    "os.lockf",
    "os.mkdir",
    "os.posix_spawn",
    "os.remove",
    "os.removexattr",
    "os.rename",
    "os.rmdir",
    "os.setxattr",
    "os.spawn",
    "os.startfile",
    "os.symlink",
    "os.system",
    "os.truncate",
    "os.utime",
    "poplib.",
    "pty.",
    "resource.",
    "shutil.",
    "signal.pthread_kill",
    "smtplib.",
    "socket.",
    "sqlite3.",
    "subprocess.",
    "syslog.",
    "telnetlib.",
    "urllib.",
    "webbrowser.",
    "winreg.",
)
_NO_IMPORT = ("diffkin", "ctypes", "_ctypes", "_posixsubprocess", "multiprocessing")
_READABLE = ("/dev/null", "/dev/urandom", "/dev/random")


def limit_resources(memory: int, seconds: float, file_size: int = 10_000_000) -> None:
    """Limit the whole process; nothing where the system has no such limits (Windows).

    Args:
        memory: Bytes that may be taken beyond what is taken now.
        seconds: Processor time from now [s].
        file_size: Largest file that may be written [bytes].
    """
    try:
        import resource
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = int(used.ru_utime + used.ru_stime + seconds) + 2
    wanted = [(resource.RLIMIT_CPU, cpu), (resource.RLIMIT_FSIZE, file_size), (resource.RLIMIT_CORE, 0)]
    if sys.platform.startswith("linux"):
        with open("/proc/self/statm", encoding="ascii") as file:
            taken = int(file.read().split()[0]) * resource.getpagesize()
        wanted.append((resource.RLIMIT_AS, taken + memory))
    for what, limit in wanted:
        hard = resource.getrlimit(what)[1]
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(what, (limit, limit))


def _refuse(*arguments: Any) -> None:
    raise PermissionError("start a process")


def close_fence(folder: str) -> None:
    """From here on the process may read Python's own files and ``folder``, write in ``folder``, and start nothing.

    Args:
        folder: The submission's own folder, absolute.
    """
    write_root = os.path.realpath(folder) + os.sep
    roots = {os.path.realpath(root) + os.sep for root in (sys.prefix, sys.base_prefix, os.path.dirname(os.__file__))}
    given = {root + os.sep for root in (sys.prefix, sys.base_prefix, *sys.path) if root}
    read_roots = (*roots, *given, write_root)
    for module, name in ((subprocess, "_fork_exec"), (sys.modules.get("_posixsubprocess"), "fork_exec")):
        if hasattr(module, name):  # ways round subprocess.Popen that raise no event
            setattr(module, name, _refuse)
    refused, no_import, readable = _REFUSED, _NO_IMPORT, _READABLE
    separator, absolute, text, integer, anything = os.sep, os.path.isabs, str, int, isinstance
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    error = PermissionError

    def inside(path: Any, roots: tuple[str, ...]) -> bool:
        if anything(path, integer) or path is None:  # an open file, or the working folder
            return True
        if anything(path, bytes):
            path = path.decode("utf-8", "surrogateescape")
        if not anything(path, text) or ".." in path.split(separator):
            return False
        return not absolute(path) or (path + separator).startswith(roots) or path in readable

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            writes = (anything(mode, text) and any(letter in mode for letter in "wax+")) or (
                anything(flags, integer) and flags & writing
            )
            if not inside(path, (write_root,) if writes else read_roots):
                raise error(f"{'write' if writes else 'read'} {path!r}")
        elif event in ("os.listdir", "os.scandir"):
            if not inside(arguments[0], read_roots):
                raise error(f"list {arguments[0]!r}")
        elif event == "import":
            if arguments[0].split(".")[0] in no_import:
                raise error(f"import {arguments[0]}")
        elif event.startswith(refused):
            raise error(event)

    sys.addaudithook(watch)
