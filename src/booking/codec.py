"""Events to the bytes that the log keeps, and back: canonical JSON, versions, upcasters."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from booking.messages import Channel, Event, Recorded, Role

ENVELOPE_VERSION = 1

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
"""The data of an event of one version, made into that of the next."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The whole row of the log as it is kept. `version` is the type's, `v` the envelope's."""

    v: int
    subdistrict: str
    position: int
    at: datetime
    due: datetime | None = None
    type: str
    version: int
    command: str
    n: int
    cause: int | str | None = None
    actor: str
    for_person: str | None = msgspec.field(name="for", default=None)
    role: Role
    channel: Channel
    rules: int
    data: msgspec.Raw


class UnknownEvent(LookupError):
    """The log holds an event of a type or version that this program does not know: a newer one wrote it."""


class Codec:
    """Encodes and decodes the events of a subdistrict, for a written list of types.

    `upcasters` maps a type's name and a version to the function that makes its data into that of the next version.
    Raises `ValueError` where one is missing.
    """

    def __init__(
        self,
        subdistrict: str,
        types: Iterable[type[Event]],
        upcasters: Mapping[tuple[str, int], Upcaster] | None = None,
    ) -> None:
        self.subdistrict = subdistrict
        self._types = {type_.__name__: type_ for type_ in types}
        self._upcasters = dict(upcasters or {})
        for name, type_ in self._types.items():
            for version in range(1, type_.version):
                if (name, version) not in self._upcasters:
                    raise ValueError(f"{name} has no upcaster from version {version}")
        # Sorted keys, no white space, UTF-8, integers and strings only: the same event has the same bytes everywhere.
        self._encoder = msgspec.json.Encoder(order="sorted")
        self._envelopes = msgspec.json.Decoder(Envelope)
        self._decoders = {name: msgspec.json.Decoder(type_) for name, type_ in self._types.items()}

    def encode(self, recorded: Recorded) -> bytes:
        """The bytes of the log's row. Raises `UnknownEvent` for a type that is not in the list."""
        event = recorded.event
        name = type(event).__name__
        if name not in self._types:
            raise UnknownEvent(name)
        envelope = Envelope(
            v=ENVELOPE_VERSION,
            subdistrict=self.subdistrict,
            position=recorded.position,
            at=recorded.at,
            due=recorded.due,
            type=name,
            version=type(event).version,
            command=recorded.command,
            n=recorded.n,
            cause=recorded.cause,
            actor=recorded.actor,
            for_person=recorded.for_person,
            role=recorded.role,
            channel=recorded.channel,
            rules=recorded.rules,
            data=msgspec.Raw(self._encoder.encode(event)),
        )
        return self._encoder.encode(envelope)

    def decode(self, data: bytes) -> Recorded:
        """The event of a row, brought up to its type's present version.

        Raises `UnknownEvent`, and `msgspec.ValidationError` for bytes that are no event.
        """
        envelope = self._envelopes.decode(data)
        return Recorded(
            position=envelope.position,
            at=envelope.at,
            due=envelope.due,
            command=envelope.command,
            n=envelope.n,
            cause=envelope.cause,
            actor=envelope.actor,
            for_person=envelope.for_person,
            role=envelope.role,
            channel=envelope.channel,
            rules=envelope.rules,
            event=self._event(envelope),
        )

    def _event(self, envelope: Envelope) -> Event:
        type_ = self._types.get(envelope.type)
        if type_ is None or envelope.version > type_.version:
            raise UnknownEvent(f"{envelope.type} version {envelope.version}")
        if envelope.version == type_.version:
            return self._decoders[envelope.type].decode(envelope.data)
        plain = msgspec.json.decode(envelope.data)
        for version in range(envelope.version, type_.version):
            plain = self._upcasters[envelope.type, version](plain)
        return msgspec.convert(plain, type_)
