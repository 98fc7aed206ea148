"""One process that the parent of `linyue serve` keeps alive: started, watched, replaced, stopped."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping

import msgspec
import structlog

from linyue.counting import PLACE_SETTING
from linyue.streams import STREAMS_MAX
from linyue.worker import Duty

# A first death is answered at once; each further one in a row waits twice as long, up to six starts a minute.
RESTART_SECONDS_MIN = 0.1
RESTART_SECONDS_MAX = 10.0
# Who has lived this long has not died in a row.
STEADY_SECONDS = 30.0
# A pulse comes each second; the longest honest silence seen is a collection of garbage, far below.
SILENCE_SECONDS_MAX = 15.0
# Importing the app takes about 2 s on two cores, more while all start at once and the database recovers.
START_SECONDS_MAX = 60.0

log = structlog.get_logger()


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a child is bound by. `grace_seconds` is what open requests get at a stop (a caller waits at most 5 s), and
    `stop_margin_seconds` what the app's own shutdown gets beyond that, before the child is killed."""

    grace_seconds: float = 5.0
    stop_margin_seconds: float = 2.0
    streams_max: int = STREAMS_MAX
    silence_seconds_max: float = SILENCE_SECONDS_MAX
    start_seconds_max: float = START_SECONDS_MAX


class Child:
    """A place among the parent's processes, and the process that holds it now, if any."""

    def __init__(
        self,
        name: str,
        target: str,
        *,
        environment: Mapping[str, str],
        limits: Limits,
        listener: socket.socket | None = None,
        buried: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self.name = name
        self.well = False
        self._target = target
        self._environment = environment
        self._limits = limits
        self._listener = listener
        self._buried = buried
        self._process: subprocess.Popen[bytes] | None = None
        self._pipes: tuple[int, int] | None = None
        self._age = self._silence = self._pause = 0.0
        self._deaths_in_a_row = 0

    @property
    def stop_seconds_max(self) -> float:
        """How long it may take to leave before it is killed."""
        return self._limits.grace_seconds + self._limits.stop_margin_seconds

    @property
    def alive(self) -> bool:
        """Whether a process holds the place."""
        return self._process is not None and self._process.poll() is None

    def tend(self, elapsed: float) -> None:
        """Have a look after `elapsed` seconds of the parent's attention: start, listen, bury, or end what is silent."""
        if self._process is None:
            self._pause -= elapsed
            if self._pause <= 0:
                self._start()
            return
        self._age += elapsed
        self._silence = 0.0 if self._heard() else self._silence + elapsed
        if self._process.poll() is not None:
            self._bury(self._process)
        elif self._silence > (self._limits.silence_seconds_max if self.well else self._limits.start_seconds_max):
            log.error("silent, killing it", child=self.name, pid=self._process.pid, seconds=round(self._silence, 1))
            self._process.kill()

    def leave(self) -> None:
        """Ask the process to end in order."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process at once, whatever it does, and wait for it: nothing outlives SIGKILL for long."""
        if self.alive:
            log.warning("had to be killed", child=self.name)
            self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
            self._forget()

    def _start(self) -> None:
        lifeline, our_lifeline = os.pipe()
        our_pulse, pulse = os.pipe()
        os.set_blocking(our_pulse, False)
        self._pipes = (our_lifeline, our_pulse)
        self._age = self._silence = 0.0
        try:
            self._process = self._spawn(lifeline, pulse)
            log.info("started", child=self.name, pid=self._process.pid)
        except OSError as error:
            log.exception("could not be started", child=self.name, error=str(error))
            self._rest()
        finally:
            os.close(lifeline)
            os.close(pulse)

    def _spawn(self, lifeline: int, pulse: int) -> subprocess.Popen[bytes]:
        listen_fd = self._listener.fileno() if self._listener is not None else None
        duty = Duty(
            name=self.name,
            target=self._target,
            parent=os.getpid(),
            lifeline_fd=lifeline,
            pulse_fd=pulse,
            listen_fd=listen_fd,
            grace_seconds=self._limits.grace_seconds,
            streams_max=self._limits.streams_max,
        )
        with _without_interrupts():
            return subprocess.Popen(  # noqa: S603 - our own module, our own argument
                [sys.executable, "-m", "linyue.worker", msgspec.json.encode(duty).decode()],
                env={**os.environ, **self._environment, PLACE_SETTING: self.name},
                stdin=subprocess.DEVNULL,
                pass_fds=[fd for fd in (lifeline, pulse, listen_fd) if fd is not None],
            )

    def _heard(self) -> bool:
        """Whether there was a pulse since the last look."""
        assert self._pipes is not None
        try:
            heard = bool(os.read(self._pipes[1], 4096))
        except BlockingIOError:
            return False
        if heard and not self.well:
            self.well = True
            log.info("well", child=self.name, seconds=round(self._age, 1))
        return heard

    def _bury(self, process: subprocess.Popen[bytes]) -> None:
        if self._age >= STEADY_SECONDS:
            self._deaths_in_a_row = 0
        code = process.returncode
        how = signal.Signals(-code).name if code < 0 else f"exit {code}"
        self._rest()
        self._buried(self.name)
        log.error("died", child=self.name, pid=process.pid, how=how, again_in=self._pause)

    def _rest(self) -> None:
        """Leave the place empty for a while that grows with each death in a row."""
        self._pause = min(RESTART_SECONDS_MIN * 2**self._deaths_in_a_row, RESTART_SECONDS_MAX)
        self._deaths_in_a_row = min(self._deaths_in_a_row + 1, 30)
        self._forget()

    def _forget(self) -> None:
        self._process, self.well = None, False
        for fd in self._pipes or ():
            os.close(fd)
        self._pipes = None

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """What is started in here never sees Ctrl-C, which a terminal sends to all: the parent alone says who stops when.

    A blocked signal stays blocked in a new program from its first instruction; one that reaches the parent meanwhile
    is delivered afterwards.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
