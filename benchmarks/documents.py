"""Contracts rendered to PDF, beside bare calls of typst: documents a second by the number of lines, and peak memory.

Every document is of another order, so that nothing of the one before can be used again. The bare side calls one typst
compiler with the same template, values and options; ours checks the values and makes a compiler for each document. The
two take turns in one process, and their seconds are CPU time, which says the same on a busy machine. How much more two
processes make than one is measured by the clock, and means something only where two cores are free.
"""

import asyncio
import json
import multiprocessing
import resource
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from time import perf_counter, process_time

import uvloop
from msgspec import Struct

from application.contracts.wording import TEMPLATE, values
from domain.documents.events import ContractLine, ContractRequested
from infrastructure.outside.pdf.typst_renderer import TypstRenderer

LINES = (1, 10, 100, 500)
SECONDS = 3.0
AT = datetime(2026, 3, 14, 12, tzinfo=UTC)


class Measured(Struct, frozen=True):
    """CPU seconds for a document by each side (by ours alone: also seconds by the clock), and the peak of resident
    memory, in MiB."""

    ours: float
    bare: float = 0.0
    clock: float = 0.0
    peak: float = 0.0


def contract(number: int, lines: int) -> ContractRequested:
    """That of an order with so many lines."""
    items = [ContractLine(f"article-{number}-{line}", 2, 1_050 + line, 100, 2_000 + 2 * line) for line in range(lines)]
    total = sum(one.total for one in items)
    return ContractRequested(f"o-{number}", f"c-{number}", "Ada Lovelace", "EUR", items, total, AT, AT, AT)


def in_turns(lines: int, seconds: float) -> Measured:
    """One process, the two sides in turns, for so many seconds altogether."""
    return asyncio.run(_in_turns(lines, seconds))


async def _in_turns(lines: int, seconds: float) -> Measured:
    import typst

    renderer = TypstRenderer()
    fonts = typst.Fonts(include_system_fonts=False)
    compiler = typst.Compiler(font_paths=fonts, ignore_system_fonts=True)
    families = json.dumps(sorted(fonts.families()))

    def bare(number: int) -> bytes:
        said = json.dumps(values(contract(number, lines)), sort_keys=True)
        made = compiler.compile(
            input=TEMPLATE.source.encode(),
            format="pdf",
            sys_inputs={"values": said, "fonts": families},
            pdf_standards=["a-2u"],
            timestamp=int(AT.timestamp()),
        )
        assert isinstance(made, bytes)
        return made

    assert bare(0) == await renderer.render(TEMPLATE, values(contract(0, lines)), AT), "both make the same bytes"
    spent, number, began = [0.0, 0.0], 0, process_time()
    while process_time() < began + seconds or number < 2:
        number += 1
        started = process_time()
        await renderer.render(TEMPLATE, values(contract(2 * number, lines)), AT)
        between = process_time()
        bare(2 * number + 1)
        spent = [spent[0] + between - started, spent[1] + process_time() - between]
    return Measured(spent[0] / number, spent[1] / number)


def ours_alone(lines: int, seconds: float) -> Measured:
    """One process that renders and does nothing else."""
    return asyncio.run(_ours_alone(lines, seconds))


async def _ours_alone(lines: int, seconds: float) -> Measured:
    renderer, number = TypstRenderer(), 0
    await renderer.render(TEMPLATE, values(contract(0, lines)), AT)
    clock, began = perf_counter(), process_time()
    while process_time() < began + seconds or number < 2:
        number += 1
        await renderer.render(TEMPLATE, values(contract(number, lines)), AT)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Measured((process_time() - began) / number, clock=(perf_counter() - clock) / number, peak=peak)


def _side_by_side(lines: int, processes: int) -> list[Measured]:
    """So many fresh processes at the same time."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        running = [pool.submit(ours_alone, lines, SECONDS) for _ in range(processes)]
        return [one.result() for one in running]


async def run() -> None:
    """Prints the figures."""
    for lines in LINES:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            turns = pool.submit(in_turns, lines, SECONDS).result()
        (one,), two = _side_by_side(lines, 1), _side_by_side(lines, 2)
        more = sum(one.clock / each.clock for each in two)
        print(
            f"{lines} lines: ours {1 / turns.ours:.1f} documents a CPU second, bare typst {1 / turns.bare:.1f}, "
            f"ratio {turns.bare / turns.ours:.2f}; by the clock alone {1 / one.clock:.1f} a second, two processes "
            f"{more:.2f} times as many; peak memory {one.peak:.0f} MiB",
            flush=True,
        )


if __name__ == "__main__":
    uvloop.run(run())
