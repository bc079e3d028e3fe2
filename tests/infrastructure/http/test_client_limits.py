"""A token bucket a client: never more than its rate and burst, and never more memory than is set."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.http.client_limits import Allowance, ClientLimits, client_address
from infrastructure.settings import Settings


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def limits(rate: float = 10.0, burst: int = 5, clients: int = 100) -> tuple[ClientLimits, Clock]:
    clock = Clock()
    settings = Settings.of(rate_limit=rate, rate_limit_burst=burst, rate_limit_clients=clients)
    return ClientLimits(settings.client_limits, clock), clock


def test_a_burst_then_the_rate() -> None:
    bucket, clock = limits()
    told = [bucket.take("ada") for _ in range(7)]
    assert [one.exceeded for one in told] == [False] * 5 + [True] * 2
    assert [one.remaining for one in told] == [4, 3, 2, 1, 0, 0, 0]
    assert told[-1] == Allowance(True, 0, 1, 1)
    assert not bucket.take("bob").exceeded, "each has its own"
    clock.now += 0.1
    assert [bucket.take("ada").exceeded for _ in range(2)] == [False, True]
    clock.now += 1_000
    assert bucket.take("ada").remaining == 4, "no more than the burst is saved up"


@given(st.floats(0.1, 1_000), st.integers(1, 50), st.lists(st.tuples(st.floats(0, 5), st.booleans()), max_size=200))
def test_whatever_comes_no_more_is_let_through_than_burst_and_rate(
    rate: float, burst: int, steps: list[tuple[float, bool]]
) -> None:
    bucket, clock = limits(rate, burst)
    let_through = 0
    for seconds, asks in steps:
        clock.now += seconds
        if asks:
            told = bucket.take("ada")
            let_through += not told.exceeded
            assert 0 <= told.remaining <= burst
            assert told.exceeded is (bucket.exceeded("ada") is not None) or not told.exceeded
            if told.exceeded:
                clock.now += told.retry_in
                assert bucket.exceeded("ada") is None, "after what it was told to wait it may ask again"
        assert let_through <= burst + clock.now * rate + 1e-6


@given(st.lists(st.integers(0, 1_000), max_size=300))
def test_memory_is_bounded(clients: list[int]) -> None:
    bucket, _ = limits(clients=16)
    for client in clients:
        bucket.take(str(client))
    assert len(bucket) == min(16, len(set(clients)))


def test_looking_takes_nothing_and_remembers_nobody() -> None:
    bucket, _ = limits()
    assert [bucket.exceeded("ada") for _ in range(100)] == [None] * 100
    assert len(bucket) == 0
    for _ in range(5):
        bucket.take("ada")
    assert bucket.exceeded("ada") == Allowance(True, 0, 1, 1)


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("strange:host", "strange:host"),
    ],
)
def test_by_what_an_address_is_known(host: str, client: str) -> None:
    assert client_address({"client": (host, 1)}) == client
    assert client_address({"client": None}) == "unknown"


def test_what_the_policy_says() -> None:
    assert limits(200.0, 1_000)[0].policy == '"client";q=1000;w=5'
    assert limits(0.0)[0].policy == ""
    assert math.isfinite(limits(0.1, 1)[0].take("a").refilled_in)
