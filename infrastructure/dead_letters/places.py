"""Where in our own code an exception came from: the deepest function that belongs to no library."""

import functools
import re
import sys
import sysconfig
from importlib import metadata
from pathlib import Path
from types import FrameType

_OURS = "eventfold"
_PATHS = sysconfig.get_paths()
_INSTALLED = tuple(str(Path(_PATHS[name])) for name in ("purelib", "platlib"))
# A comprehension is a function of its own up to Python 3.11, and none after it.
_COMPREHENSION = re.compile(r"(?:\.<locals>)?\.<(?:listcomp|dictcomp|setcomp)>")


def place_of(error: BaseException) -> str:
    """`module:function` of the deepest frame of our own code, without a line, which changes with every edit; empty
    where the exception was never raised or has come through no code of ours."""
    found = ""
    trace = error.__traceback__
    while trace is not None:
        if _is_ours(trace.tb_frame):
            module = trace.tb_frame.f_globals.get("__name__", "")
            found = f"{module}:{_COMPREHENSION.sub('', trace.tb_frame.f_code.co_qualname)}"
        trace = trace.tb_next
    return found


def _is_ours(frame: FrameType) -> bool:
    root = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    if root in sys.stdlib_module_names and root != "__main__":
        return False
    file = frame.f_code.co_filename
    return not file.startswith(("<", *_INSTALLED)) or root in _installed_of_ours()


@functools.cache
def _installed_of_ours() -> frozenset[str]:
    """The packages beside the libraries that are not libraries: this product, and what is built on it."""
    ours = {one for one, names in metadata.packages_distributions().items() if any(map(_is_built_on_us, names))}
    return frozenset(ours)


def _is_built_on_us(distribution: str) -> bool:
    required = [re.match(r"[\w.-]+", one) for one in metadata.requires(distribution) or ()]
    return distribution.lower() == _OURS or any(one and one[0].lower() == _OURS for one in required)
