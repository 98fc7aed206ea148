"""LIST 2: the questions people ask. Wiring, readiness and tests know read models only from here."""

from projections import agenda, availability, due, history

QUESTIONS = (availability.QUESTION, agenda.QUESTION, due.QUESTION, history.QUESTION)
NAMES = tuple(question.name for question in QUESTIONS)
SHAPES = {question.name: question.shape for question in QUESTIONS}
"""What this program can read, by the name of the question."""
