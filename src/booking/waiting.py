"""A command that somebody waits for at the desk, and what may be true of it where there is no answer."""

import asyncio

from booking.messages import Answer, Ask


class DeskFault(Exception):
    """The desk could not answer; the subclasses say what is true of the command."""


class NotDone(DeskFault):
    """The command was not carried out and will not be: ask again."""


class QueueFull(NotDone):
    """Too many commands wait; this one was not taken: ask again in a moment."""


class ClockBehind(NotDone):
    """The clock is more than a minute behind the log's last event, so nothing is written: set the server's clock."""


class Unknown(DeskFault):
    """The command may have been carried out: ask again with the same key, which tells."""


class Waiting:
    """A command that somebody waits for. Whoever was told something is told nothing else, and nothing else happens.

    In a batch it is `decided` until that is known to be undone; one that failed with others is decided `alone`.
    """

    __slots__ = ("alone", "answer", "ask", "decided", "sameness", "tries")

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        # Worked out before its turn, so that nobody waits for it under the lock.
        self.sameness = ask.sameness if ask.fault is None else None
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.decided = False
        self.alone = False
        self.tries = 0

    @property
    def told(self) -> bool:
        return self.answer.done()

    def tell(self, answer: Answer | BaseException) -> None:
        if self.told:
            return
        if isinstance(answer, Answer):
            self.answer.set_result(answer)
        else:
            self.answer.set_exception(answer)
            # A caller who has left does not fetch it, and that is no fault to report.
            self.answer.exception()

    def leave(self) -> None:
        """Nobody waits any more. This and the batch's deciding are one step each: none is between them."""
        self.tell(Unknown("no answer in time") if self.decided else NotDone("withdrawn: its turn had not come in time"))
