"""When the interpreter looks for cycles of garbage: each search takes the longer, the more objects there are."""

import gc


def hold_off() -> None:
    """No search before `begin`. What a start imports and makes stays; to look through it again and again while it grows
    takes about a tenth of the start."""
    gc.disable()


def begin(*, rarely: bool = False) -> None:
    """From now on there are searches, but never in what is there already.

    `rarely` is for those who work in batches: one makes tens of thousands of dicts and lists, none of them in a cycle,
    and to search them again and again would cost about a tenth of the time of catching up.
    """
    gc.freeze()
    if rarely:
        gc.set_threshold(100_000, 50, 50)
    gc.enable()
