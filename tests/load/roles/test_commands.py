"""Commands on their way: whose they are, for whom, and how often they count."""

from __future__ import annotations

import msgpack
import msgspec
import pytest

from bench.credentials import RelayKey
from bench.credentials.relay.seal import SealBroken
from bench.load.roles.commands import (
    Change,
    Command,
    Commander,
    CommandMessage,
    CommandReader,
    Cut,
    Dismiss,
    Go,
    GoOn,
    Share,
    TakeOver,
)
from bench.plan.run_plan import LoadChange

KEY, OTHER = (RelayKey(letter * 32, is_given=True) for letter in (b"k", b"o"))
UNGIVEN, ANOTHER = RelayKey(b"u" * 32), RelayKey(b"a" * 32)
RUN = "20261124-000000-000-abcd"
COMMANDS: list[Command] = [
    Go(monotonic_ns=1, wall_ns=2, host="canary-host"),
    TakeOver(number=1, shares=(Share(worker=1, from_ns=5, splits=((0, 2), (1, 3))),)),
    Change(number=2, changes=(LoadChange(from_ns=5, arrival_rate=80.0, users=20),)),
    GoOn(number=3),
    Cut(),
    Dismiss(),
]


def on_the_wire(message: CommandMessage) -> CommandMessage:
    """What comes out at the other end."""
    return msgspec.convert(msgpack.loads(msgpack.dumps(msgspec.to_builtins(message))), CommandMessage)


def reader(key: RelayKey, *, me: str = "a", run_id: str = RUN, takes_open: bool = False) -> CommandReader:
    return CommandReader(key, run_id=run_id, me=me, takes_open=takes_open)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
@pytest.mark.parametrize(
    ("masters", "workers", "takes_open"),
    [(KEY, KEY, False), (UNGIVEN, UNGIVEN, False), (UNGIVEN, ANOTHER, True)],
    ids=["a key", "a fork", "no key"],
)
def test_a_command_arrives_as_it_was_sent(
    masters: RelayKey, workers: RelayKey, takes_open: bool, command: Command
) -> None:
    """Over Locust's own encoding, to every kind of worker."""
    message = on_the_wire(Commander(masters, run_id=RUN).message(command, to="a"))
    assert reader(workers, takes_open=takes_open).read(message) == command


def test_with_a_key_nothing_is_in_the_clear() -> None:
    """Not even what kind of command it is."""
    message = Commander(KEY, run_id=RUN).message(COMMANDS[0], to="a")
    assert message.open is None
    assert b"canary" not in msgpack.dumps(msgspec.to_builtins(message))


@pytest.mark.parametrize(
    "to_read",
    [
        pytest.param(lambda message: reader(OTHER).read(message), id="another key"),
        pytest.param(lambda message: reader(KEY, me="b").read(message), id="another worker's"),
        pytest.param(lambda message: reader(KEY, run_id=f"{RUN}e").read(message), id="another run's"),
        pytest.param(lambda message: reader(KEY, takes_open=True).read(message), id="of a master with a key"),
        pytest.param(
            lambda message: reader(KEY).read(
                msgspec.structs.replace(message, sealed={**message.sealed, "sequence": 9}, open=Cut())
            ),
            id="altered",
        ),
        pytest.param(lambda _: reader(KEY).read(CommandMessage(sealed={}, open=Cut())), id="in the clear"),
    ],
)
def test_what_the_master_did_not_say_is_refused(to_read: object) -> None:
    """Whatever it lacks."""
    assert callable(to_read)
    with pytest.raises(SealBroken):
        to_read(Commander(KEY, run_id=RUN).message(Cut(), to="a"))


def test_a_command_counts_once() -> None:
    """One that was recorded and sent again is refused; the next one is not."""
    commander, mine = Commander(KEY, run_id=RUN), reader(KEY)
    first, second = (commander.message(GoOn(number=number), to="a") for number in (1, 2))
    assert mine.read(first) == GoOn(number=1)
    with pytest.raises(SealBroken):
        mine.read(first)
    assert mine.read(second) == GoOn(number=2)
