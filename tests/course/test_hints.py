"""Hints are complete in both languages and have the same blanks to fill in."""

from __future__ import annotations

import re

from diffkin.course.hints import ERROR_HINTS, LABELS, REASONS


def test_both_languages_have_the_same_blanks() -> None:
    for text in (*LABELS.values(), *REASONS.values(), *(text for _, text in ERROR_HINTS)):
        assert sorted(re.findall(r"\{\w+\}", text.en)) == sorted(re.findall(r"\{\w+\}", text.zh))
        assert re.search("[\u4e00-\u9fff]", text.zh) and not re.search("[\u4e00-\u9fff]", text.en)
