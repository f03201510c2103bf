"""Every error Bongsu raises on purpose.

::

    BongsuError
    ├── SpecError          a campaign definition is wrong; names the file, the line, the field and the fix
    ├── Refused            the audience or the moment was refused; nothing was sent and a retry cannot help
    │   └── MalformedFile  the customer file cannot be read; names the row
    ├── RunOver            the run ends here, rightly and without success: not let go, nobody left, cancelled
    ├── HandOverError      the line or the books disagree with what was expected; needs a person
    └── Unavailable        a server did not answer or gave way; a retry can help

An error's text is written for the person who reads the task log: what happened, and what to do.
"""

from dataclasses import dataclass


class BongsuError(Exception):
    """Base of all errors raised on purpose."""


class Refused(BongsuError):
    """Nothing was sent, and trying the same again gives the same answer."""


class MalformedFile(Refused):
    """A customer file that cannot be read.

    :param path: the file, as the spec names it.
    :param row: row number as a spreadsheet shows it (the header is row 1); ``None`` when the whole file is meant.
    :param problem: what is wrong.
    :param fix: what to do about it.
    """

    def __init__(self, path: str, row: int | None, problem: str, fix: str) -> None:
        self.path, self.row, self.problem, self.fix = path, row, problem, fix
        where = f"{path}, row {row}" if row is not None else path
        super().__init__(f"{where}: {problem}. {fix}")


class RunOver(BongsuError):
    """The run ends here, and nothing is wrong with that: it was not let go, nobody was left to write to, or it was
    cancelled. It is no success either, so that whoever waits for one is not told that it came.
    """


@dataclass(frozen=True)
class SpecProblem:
    """One mistake in a definition: ``field`` is a dotted path, ``line`` and ``column`` count from 1."""

    field: str
    problem: str
    fix: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line is not None else ""
        return f"{where}{self.field}: {self.problem}. {self.fix}"


class SpecError(BongsuError):
    """A definition that does not validate, with every mistake found in it."""

    def __init__(self, source: str, problems: list[SpecProblem]) -> None:
        self.source, self.problems = source, problems
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))


class HandOverError(BongsuError):
    """What the line holds is not what the store expects; a person has to look."""


class Unavailable(BongsuError):
    """A server did not answer or gave way; the same call may succeed later."""
