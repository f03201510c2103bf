"""What commands print: plain lines on a terminal or in a log, and one clear line for an error."""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from include.errors import BongsuError, Refused, SpecError

DONE, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130


def say(line: str) -> None:
    """Progress and remarks: to standard error, so that standard output holds the answer alone."""
    print(line, file=sys.stderr, flush=True)


def answer(line: str) -> None:
    """What the command was asked for."""
    print(line, flush=True)


def check_writable(path: Path, option: str) -> None:
    """Refuse a file that cannot be written before the work is done that it is to tell of.

    :raises BongsuError: it cannot; ``option`` names another one.
    """
    was_there = path.exists()
    try:
        with path.open("a", encoding="utf-8"):
            pass
    except OSError as error:
        raise BongsuError(f"{path} cannot be written ({error.strerror}). Name another file with {option}.") from None
    if not was_there:
        path.unlink()


@contextmanager
def clear_errors() -> Iterator[None]:
    """End the command with its exit code, an error as its message; the traceback only with
    ``BONGSU_DEBUG=1``.
    """
    try:
        yield
    except (typer.Exit, typer.Abort, SystemExit):
        raise
    except KeyboardInterrupt:
        say("\nInterrupted.")
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        # Whoever read our output has enough; closing it again at exit must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(FAILED) from None
    except Exception as error:
        trace_if_asked()
        say(f"Error: {message_of(error)}")
        raise typer.Exit(REFUSED if isinstance(error, (SpecError, Refused)) else FAILED) from None


def trace_if_asked() -> None:
    """Print the traceback of the error at hand when ``BONGSU_DEBUG=1``."""
    if os.environ.get("BONGSU_DEBUG") == "1":
        traceback.print_exc()


def message_of(error: BaseException) -> str:
    """An error for a person: its own words when we raised it, else its kind too and how to see more."""
    if isinstance(error, BongsuError):
        return str(error)
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    first = str(error).strip().split("\n", 1)[0]
    return f"{type(error).__name__}: {first} (BONGSU_DEBUG=1 shows where)"
