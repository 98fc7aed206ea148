"""Who is told what a desk does, so that somebody can be alarmed."""

from collections.abc import Sequence
from typing import Protocol

from booking.messages import Answer


class Watch(Protocol):
    """Must be quick, as the next batch waits for it, and raise nothing. It does not learn who asked for what."""

    def committed(self, answers: Sequence[Answer], seconds: float) -> None:
        """A batch was committed, and its commands were answered so, `seconds` after it was begun."""

    def failed(self, fault: Exception) -> None:
        """Somebody got no answer, but this."""


class Unwatched:
    """For a desk that nobody watches."""

    def committed(self, answers: Sequence[Answer], seconds: float) -> None:
        return

    def failed(self, fault: Exception) -> None:
        return
