"""A reader of the log that is slow, stuck or gone holds nothing up."""

import os
from pathlib import Path

import msgspec

from infrastructure.settings import Settings
from infrastructure.telemetry import log_output
from infrastructure.telemetry.log_output import LogOutput
from tests.infrastructure.telemetry.conftest import ReadLog


def dropped(count: int) -> bytes:
    return f"{count} dropped\n".encode()


def test_lines_come_whole_and_in_order() -> None:
    read, write = os.pipe()
    output = LogOutput(write, dropped)
    lines = [f"{number} {'x' * (number % 97)}\n".encode() for number in range(500)]
    for line in lines:
        output.write(line)
    output.close(10)
    os.close(write)
    with os.fdopen(read, "rb") as reader:
        assert reader.read() == b"".join(lines)


def test_a_reader_that_is_stuck_holds_nobody_up_and_is_told_what_it_missed() -> None:
    read, write = os.pipe()
    output = LogOutput(write, dropped, most_waiting=50)
    line = b"x" * 1023 + b"\n"
    for _ in range(5000):  # far more than a pipe and the queue hold: a write that waited would never return
        output.write(line)
    with os.fdopen(read, "rb") as reader:
        received = reader.readline() + reader.readline()
        output.write(b"again\n")
        lost = 0
        count = 2
        while True:
            found = reader.readline()
            if found.endswith(b"dropped\n"):
                lost += int(found.split()[0])
                break
            count += 1
            assert found in (line, b"again\n")
        output.close(10)
        os.close(write)
        rest = reader.read().splitlines(keepends=True)
    count += sum(one in (line, b"again\n") for one in rest)
    lost += sum(int(one.split()[0]) for one in rest if one.endswith(b"dropped\n"))
    assert received == 2 * line
    assert count + lost == 5001


def test_a_reader_that_is_gone_holds_nobody_up() -> None:
    read, write = os.pipe()
    output = LogOutput(write, dropped)
    os.close(read)
    before = log_output._DROPPED._value.get()
    for _ in range(20_000):
        output.write(b"nobody reads this\n")
    output.close(10)
    os.close(write)
    output.write(b"nor this\n")
    assert log_output._DROPPED._value.get() - before == 20_001


def test_without_a_standard_output_lines_are_dropped() -> None:
    output = LogOutput(-1, dropped)
    output.write(b"nobody reads this\n")
    output.close(10)
    assert output._over


def test_a_descriptor_that_does_not_wait_gets_every_line() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    output = LogOutput(write, dropped)
    lines = [b"y" * 4095 + b"\n"] * 100
    for line in lines:
        output.write(line)
    with os.fdopen(read, "rb") as reader:
        received = reader.read(4096 * 100)
        output.close(10)
        os.close(write)
    assert received == b"".join(lines)


def test_a_disk_that_was_full_gets_the_later_lines(tmp_path: Path, monkeypatch: object) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    output = LogOutput(full, dropped)
    output.write(b"lost\n")
    while output._dropped == 0:
        pass
    file = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    os.dup2(file, full)
    output.write(b"kept\n")
    output.close(10)
    assert (tmp_path / "log").read_bytes() == b"kept\n1 dropped\n"
    os.close(file)
    os.close(full)


def test_the_line_about_dropped_lines_is_as_the_others(read_log: ReadLog) -> None:
    log = read_log.start(Settings.of(log_format="json"))
    output = read_log._output
    assert output is not None
    output._drop(3)
    log.info("a lamp was lit")
    lit, told = read_log.lines()
    assert (told["event"], told["level"], told["lines"], told["service"]) == (
        *("log lines were dropped", "warning", 3),
        lit["service"],
    )
    assert msgspec.json.encode(told)
