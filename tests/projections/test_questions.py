"""The list of questions."""

from projections.questions import NAMES, QUESTIONS


def test_each_question_has_a_schema_of_its_own() -> None:
    assert len(set(NAMES)) == len(QUESTIONS)
    assert [question.tables.schema for question in QUESTIONS] == list(NAMES)
