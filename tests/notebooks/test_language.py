"""Terms and spelling: one Chinese word for each English term, every term of a lesson in the table, no English typo."""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from spellchecker import SpellChecker

from diffkin.course import Exercise, Text, lesson_exercises, lesson_numbers
from diffkin.course.hints import ERROR_HINTS, REASONS
from notebooks.build import ROOT, lesson_files, read_lesson

CODE_OR_MATHS = re.compile(r"```.*?```|`[^`\n]*`|\$\$.*?\$\$|\$[^$\n]*\$|\]\([^)]*\)", re.DOTALL)
MARKED = re.compile(r"(?<!\*)\*(?![*\s])((?:(?!\n\n)[^*])+?)(?<!\s)\*(?!\*)")


class Term(NamedTuple):
    en: str
    zh: str
    forms: frozenset[str]
    avoid: tuple[str, ...]


@functools.cache
def rows() -> list[dict[str, str]]:
    with (ROOT / "terms.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@functools.cache
def terms() -> list[Term]:
    def split(text: str) -> list[str]:
        return [part for part in text.split(";") if part]

    return [
        Term(
            row["en"],
            row["zh"],
            frozenset(form.lower() for form in (row["en"], *split(row["forms_en"]))),
            tuple(split(row["avoid_zh"])),
        )
        for row in rows()
    ]


def marked(text: str) -> list[str]:
    """Terms are set in single asterisks where they are introduced."""
    return [" ".join(word.split()) for word in MARKED.findall(CODE_OR_MATHS.sub(" ", text))]


def texts() -> Iterator[tuple[str, Text]]:
    """Every text of the course in both languages, with where it is."""
    for path in lesson_files():
        for k, cell in enumerate(read_lesson(path)):
            if not cell.code:
                yield f"{path.name}, cell {k}", Text(cell.en, cell.zh)
    for number in lesson_numbers():
        for exercise in lesson_exercises(number):
            for text in exercise_texts(exercise):
                yield f"exercise {exercise.number}", text
    for reason, text in REASONS.items():
        yield f"hint {reason}", text
    for words, text in ERROR_HINTS:
        yield f"hint {words}", text
    for row in rows():
        yield f"terms.csv, {row['en']}", Text(row["definition_en"], row["definition_zh"])


def exercise_texts(exercise: Exercise) -> list[Text]:
    return [exercise.title, exercise.task, exercise.hint, *(mistake.hint for mistake in exercise.mistakes)]


TEXTS = list(texts())


def test_table_names_each_term_once_and_explains_it() -> None:
    for name in ("en", "zh"):
        names = [row[name].lower() for row in rows()]
        assert len(set(names)) == len(names)
    assert all(row[name].strip() for row in rows() for name in ("en", "zh", "definition_en", "definition_zh"))
    forms = [form for term in terms() for form in term.forms]
    assert len(set(forms)) == len(forms)
    for row in rows():
        assert re.search("[\u4e00-\u9fff]", row["definition_zh"]), row["en"]


@pytest.mark.parametrize("path", lesson_files(), ids=lambda path: path.stem)
def test_marked_terms_are_in_the_table_and_paired(path: Path) -> None:
    chinese = {form: term.zh for term in terms() for form in term.forms}
    for k, cell in enumerate(read_lesson(path)):
        english = [word.lower() for word in marked(cell.en)]
        unknown = [word for word in english if word not in chinese]
        assert unknown == [], f"cell {k}: add to terms.csv, or use **bold** for stress"
        assert {chinese[word] for word in english} == set(marked(cell.zh)), (
            f"cell {k}: both languages mark the same terms"
        )


def test_every_lesson_introduces_terms() -> None:
    for path in lesson_files():
        assert any(marked(cell.en) for cell in read_lesson(path)), path.name


def test_chinese_uses_the_word_of_the_table() -> None:
    found = [
        f"{where}: {wrong} should be {term.zh}"
        for where, text in TEXTS
        for term in terms()
        for wrong in term.avoid
        if re.search(wrong, text.zh)
    ]
    assert found == []


def test_every_text_has_both_languages() -> None:
    for where, text in TEXTS:
        assert text.en.strip() and text.zh.strip(), where
        if re.search("[A-Za-z]{3}", CODE_OR_MATHS.sub(" ", text.en)):
            assert re.search("[\u4e00-\u9fff]", text.zh), f"{where}: no Chinese"
        assert not re.search("[\u4e00-\u9fff]", text.en), f"{where}: Chinese in the English text"


def test_chinese_punctuation_is_chinese() -> None:
    for where, text in TEXTS:
        plain = CODE_OR_MATHS.sub("x", text.zh)
        assert not re.search("[\u4e00-\u9fff][,;:?!]|[,;?!][\u4e00-\u9fff]", plain), f"{where}: {plain}"


@pytest.mark.parametrize(("en", "zh"), [("an *unknownterm*", "一个*梯度*"), ("a *gradient*", "一个*雅可比矩阵*")])
def test_marks_are_seen(en: str, zh: str) -> None:
    assert marked(en) and marked(zh)
    assert marked("2 * 3 * 4, **bold**, `*code*`, $a*b*c$") == []


def test_english_is_spelled_right() -> None:
    known = set((ROOT / "words.txt").read_text(encoding="utf-8").split())
    checker = SpellChecker(distance=1)
    wrong: dict[str, str] = {}
    for where, text in TEXTS:
        plain = re.sub(r"\{\w+\}|[A-Za-z_.]*[_0-9.][A-Za-z_0-9.]*\(?|\b\w\b", " ", CODE_OR_MATHS.sub(" ", text.en))
        words = {word.strip("'") for word in re.findall(r"[A-Za-z']{3,}", plain)}
        words = {re.sub(r"'s$", "", word) for word in words}
        candidates = {word for word in words if word.lower() not in known}
        for word in checker.unknown(candidates):
            wrong.setdefault(word, where)
    assert wrong == {}, "correct it, or add it to notebooks/words.txt"
