"""The exercises of each lesson: one module a lesson, each with its tuple ``EXERCISES``."""

__all__: list[str] = []
