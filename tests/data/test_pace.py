"""A connection that brings too little is hung up on, whoever waits for it; one that brings enough is left alone."""

import socket
import time
from collections.abc import Iterator

import pytest

from app_repro.data.pace import Pace

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    mine, theirs = socket.socketpair()
    mine.settimeout(20)
    with mine, theirs:
        yield mine, theirs


def test_whoever_waits_for_a_byte_is_freed_at_the_end_of_the_span(pair: Pair) -> None:
    with Pace(0.1, min_rate=10) as pace:
        pace.begin(pair[0])
        assert pair[0].recv(1) == b""  # the end: they sent nothing and did not close
        assert pace.is_too_slow


def test_bytes_of_an_earlier_span_do_not_count(pair: Pair) -> None:
    with Pace(0.1, min_rate=10) as pace:
        pace.begin(pair[0])
        pace.add(10**9)
        assert pair[0].recv(1) == b"" and pace.is_too_slow


@pytest.mark.parametrize(("rate", "count"), [(0, 0), (10, 1)])
def test_enough_is_no_reason_to_hang_up(pair: Pair, rate: float, count: int) -> None:
    with Pace(1, min_rate=rate) as pace:
        pace.begin(pair[0])
        for _ in range(110):  # a little more than a span
            pace.add(10 * count)
            time.sleep(0.01)
    pair[1].send(b"x")
    assert not pace.is_too_slow and pair[0].recv(1) == b"x"


def test_without_a_connection_there_is_nothing_to_hang_up_on() -> None:
    with Pace(0.01, min_rate=10**9) as pace:
        time.sleep(0.1)
    assert not pace.is_too_slow


def test_a_new_connection_has_a_span_of_its_own(pair: Pair) -> None:
    with Pace(60, min_rate=10) as pace:
        pace.begin(pair[0])
        first = pace._until
        time.sleep(0.01)
        pace.begin(pair[0])
        assert pace._until > first
    assert not pace.is_too_slow  # and the block ends at once, not after a minute
