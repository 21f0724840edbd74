"""``python -m diffkin compile``: compile and store all kernels."""

from __future__ import annotations

import argparse

from diffkin.precompile import compile_kernels

__all__ = ["main"]


def main() -> None:
    """Read the command line and do what it asks for."""
    parser = argparse.ArgumentParser(prog="python -m diffkin", description="Differentiable kinematics.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("compile", help="compile all kernels and store them, so that no first call has to wait")
    parser.parse_args()
    print(f"All kernels are compiled and stored ({compile_kernels():.0f} s).")


if __name__ == "__main__":
    main()
