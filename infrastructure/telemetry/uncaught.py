"""What nobody has caught becomes a log line, instead of a bare traceback."""

import logging
import sys
import threading
from types import TracebackType

import structlog

log = structlog.get_logger(__name__)


def log_uncaught() -> None:
    """Of the main thread, of other threads, and where Python can't raise; also what `warnings` has to say.

    What asyncio finds (an exception that was never retrieved) comes by the standard library's logging.
    """
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable
    logging.captureWarnings(True)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        log.critical("uncaught exception", thread="main", exc_info=(kind, error, trace))


def _uncaught_in_thread(told: threading.ExceptHookArgs) -> None:
    if told.exc_value is not None and not issubclass(told.exc_type, SystemExit):
        name = "" if told.thread is None else told.thread.name
        log.critical("uncaught exception", thread=name, exc_info=(told.exc_type, told.exc_value, told.exc_traceback))


def _unraisable(told: "sys.UnraisableHookArgs") -> None:
    error = told.exc_value or told.exc_type()
    log.error(
        "exception that could not be raised",
        where=f"{told.err_msg or 'in'} {told.object!r:.200}",
        exc_info=(told.exc_type, error, told.exc_traceback),
    )
