"""What an error means: will the same work later, when is it tried again, what can a person do meanwhile.

Every error of a database, a server or ourselves has one :class:`Kind`. The tables are in :mod:`include.taxonomy_codes`;
what stands in none of them is permanent. Trying again is always safe here (docs/exactly-once.md), so the choice is only
between trying in vain and waiting for a person (docs/decisions/0011-when-to-try-again.md).

A verdict's words are ours. What a server said is not repeated unless it can only name tables and users, because servers
quote the values of rows.
"""

import errno
import re
import socket
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import MySQLdb
import psycopg

from include.errors import BongsuError, HandOverError, Refused, Unavailable
from include.taxonomy_codes import CONNECT_TEXTS, LINE, RETRIES, STORE, Kind, Rule

__all__ = ["PAUSES", "RETRIES", "Kind", "Verdict", "attempt_of", "classify", "scrub", "without_values"]

MINUTE = 60.0
OUTAGE_PAUSE = 15 * MINUTE
PAUSES: dict[Kind, tuple[float, ...]] = {
    Kind.network: (30.0, 2 * MINUTE, 5 * MINUTE, 15 * MINUTE),
    Kind.contention: (30.0, 2 * MINUTE, 5 * MINUTE, 15 * MINUTE),
    Kind.rate_limit: (MINUTE, 5 * MINUTE),
    Kind.outage: (OUTAGE_PAUSE,) * RETRIES,
    Kind.permanent: (),
}
"""Pauses after the first, second, … try. What lasts longer than its own pauses is an outage from then on."""
SHOWN_IN = ZoneInfo("Asia/Seoul")
LONGEST = 480

STORE_NAME, LINE_NAME = "The campaign store (PostgreSQL)", "The SMS line's database (MariaDB)"
NOBODY_NEEDED = "Nobody need do anything; each time, see docs/operations/faults.md."
CLEAR_IT = "Then clear the task: nothing is sent twice."
_LOST = Rule(Kind.network, "did not answer, or the connection was lost", "Check that it runs and can be reached.")
_UNKNOWN = Rule(Kind.permanent, "gave an error that is not known", "Read the traceback in the task's log.")


@dataclass(frozen=True)
class Verdict:
    """What an error means.

    :param what: what happened, a clause or sentence without a full stop.
    :param advice: what an operator can do, one sentence.
    :param then_clear: the task may be cleared when that is done; otherwise the advice says how it goes on.
    """

    kind: Kind
    what: str
    advice: str
    then_clear: bool = True

    @property
    def delays(self) -> tuple[float, ...]:
        """All pauses in seconds, until the window of an outage is over."""
        own = PAUSES[self.kind]
        return own + (OUTAGE_PAUSE,) * (RETRIES - len(own)) if own else ()

    def pause(self, attempt: int, pace: float = 1.0) -> float | None:
        """Seconds until the next try after try ``attempt`` (from 1) has failed; ``None`` when there is none.

        :param pace: factor for all pauses.
        """
        delays = self.delays
        return delays[attempt - 1] * pace if 1 <= attempt <= len(delays) else None

    def sentence(self, attempt: int = 1, *, pace: float = 1.0, now: datetime | None = None) -> str:
        """One line for the task log: what happened, what will happen next, what an operator can do."""
        pause = self.pause(attempt, pace)
        if pause is not None:
            at = (now or datetime.now(SHOWN_IN)).astimezone(SHOWN_IN) + timedelta(seconds=pause)
            following = f"Try {attempt + 1} of {RETRIES + 1} follows in {_span(pause)}, at {at:%H:%M:%S} (Seoul)."
        elif self.kind is Kind.permanent:
            following = "It is not tried again: the same would happen."
        else:
            following = f"It has been tried {attempt} times and is not tried again."
        end = f" {CLEAR_IT}" if pause is None and self.then_clear else ""
        return one_line(f"{self.what}. {following} {self.advice}{end}")

    def while_waiting(self, seconds: float) -> str:
        """One line for something that simply looks again."""
        return one_line(f"{self.what}. Looking again in {_span(seconds)}. {self.advice}")


def attempt_of(try_number: int, max_tries: int, retries: int = RETRIES) -> int:
    """Which try since the task began or was last cleared this is, from 1.

    Airflow counts tries on through a clear, which moves ``max_tries`` to the last try plus the task's retries. Which
    errors the tries before ended with is not known: a process that was killed has used up a try like any other.
    """
    return max(1, retries - max_tries + try_number)


def classify(error: BaseException) -> Verdict:
    """The verdict on an error; what is not known is permanent."""
    if isinstance(error, Unavailable):
        cause = error.__cause__ or error.__context__
        if cause is not None:
            return classify(cause)
        return Verdict(Kind.contention, _own_words(error), NOBODY_NEEDED)
    if isinstance(error, HandOverError):
        advice = "Compare before anything is cleared: docs/operations/faults.md."
        return Verdict(Kind.permanent, _own_words(error), advice, then_clear=False)
    if isinstance(error, Refused):
        return Verdict(Kind.permanent, _own_words(error), "Nothing was sent; put it right and start a run.", False)
    if isinstance(error, BongsuError):
        return Verdict(Kind.permanent, _own_words(error), "Put it right as it says.")
    if isinstance(error, psycopg.Error):
        return _verdict(STORE_NAME, _store_rule(error), _code("SQLSTATE", error.sqlstate), _first_line(error))
    if isinstance(error, MySQLdb.Error):
        number = line_number(error)
        return _verdict(LINE_NAME, _line_rule(error, number), _code("error", number), _first_line(error))
    return _of_python(error)


def line_number(error: BaseException) -> int | None:
    """The number of an error of MySQL or MariaDB."""
    first = error.args[0] if error.args else None
    return first if isinstance(first, int) and first > 0 else None


def scrub(error: BaseException) -> None:
    """Take the values of rows out of what servers said, in the error and all it came from, before it is logged."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        waiting += [one.__cause__, one.__context__]
        if isinstance(one, (psycopg.Error, MySQLdb.Error, Unavailable)):
            one.args = tuple(without_values(part) if isinstance(part, str) else part for part in one.args)


_VALUES = (
    re.compile(r"(Duplicate entry )'.*'(?= for key)", re.DOTALL),
    re.compile(r"((?:Incorrect|Invalid|Truncated incorrect) [\w ]*value: )'.*?'(?= for |$)", re.DOTALL),
    re.compile(r'((?:invalid input (?:syntax|value)|malformed|invalid value) [^:"]*: )".*"', re.DOTALL),
    re.compile(r'(value )".*"(?= is out of range)', re.DOTALL),
)
_DETAIL = re.compile(r"^(?:DETAIL|CONTEXT|STATEMENT|QUERY):.*(?:\n(?![A-Z]+:).*)*", re.MULTILINE)
_QUOTED = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.@%-]*|[0-9.:]{1,15}")
_DIGITS = re.compile(r"(?<![\w.])\+?\d(?:[-. ]?\d){7,}")


def without_values(text: str) -> str:
    """A server's message without what it quotes of rows: names of tables and users stay, values do not."""
    text = _DETAIL.sub("", text)
    for pattern in _VALUES:
        text = pattern.sub(r"\1'…'", text)
    text = _QUOTED.sub(lambda found: found[0] if _NAME.fullmatch(found[0][1:-1]) else "'…'", text)
    return _DIGITS.sub("…", text).strip()


def one_line(text: str) -> str:
    """The text in one line of bounded length, which Airflow's column for a retry's reason takes."""
    line = " ".join(text.replace(". .", ".").replace("..", ".").split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _store_rule(error: psycopg.Error) -> Rule:
    state = error.sqlstate
    if state:
        found = [STORE[state[:length]] for length in (5, 4, 3, 2) if state[:length] in STORE]
        return found[0] if found else _UNKNOWN
    if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        # a refused connection has no code, only words
        text = str(error)
        return next((rule for words, rule in CONNECT_TEXTS if words in text), _LOST)
    return _UNKNOWN


def _line_rule(error: MySQLdb.Error, number: int | None) -> Rule:
    if number is not None:
        return LINE.get(number, _UNKNOWN)
    lost = isinstance(error, (MySQLdb.OperationalError, MySQLdb.InterfaceError))
    return _LOST if lost else _UNKNOWN


def _verdict(server: str, rule: Rule, code: str, said: str) -> Verdict:
    quoted = f": {without_values(said)[:120]}" if rule.quote and said else ""
    return Verdict(rule.kind, f"{server} {rule.what} ({code}){quoted}", rule.advice or NOBODY_NEEDED)


def _code(word: str, value: object) -> str:
    return f"{word} {value}" if value else "without a code"


def _first_line(error: BaseException) -> str:
    text = str(error.args[-1]) if error.args else ""
    return text.strip().split("\n", 1)[0]


def _own_words(error: BaseException) -> str:
    """The text that we wrote for the person who reads the log; a number that slipped into it is starred."""
    return _DIGITS.sub("…", " ".join(str(error).split())).rstrip(".")[:280]


FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ESTALE, errno.EMFILE, errno.ENFILE})
AWAY = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.ETIMEDOUT, errno.EPIPE})


def _of_python(error: BaseException) -> Verdict:
    """Errors of Python, of the operating system and of HTTP."""
    name = type(error).__name__
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(status, int):
        return _of_http(status)
    if isinstance(error, ssl.SSLCertVerificationError):
        return Verdict(Kind.permanent, "A server's certificate is not trusted", "Correct the certificate or its CA.")
    is_lost = isinstance(error, (ConnectionError, TimeoutError, socket.gaierror, ssl.SSLError, EOFError))
    code = error.errno if isinstance(error, OSError) else None
    # named, not imported: httpx would be loaded at every parse of a DAG
    if is_lost or code in AWAY or "TransportError" in {kind.__name__ for kind in type(error).__mro__}:
        return Verdict(Kind.network, f"A server did not answer or the connection was lost ({name})", _LOST.advice)
    if code in FULL or isinstance(error, MemoryError):
        said = errno.errorcode.get(code, name) if code else name
        return Verdict(
            Kind.outage,
            f"The worker's machine is full or its disk does not answer ({said})",
            "Make room on the worker.",
        )
    if isinstance(error, (FileNotFoundError, PermissionError, IsADirectoryError)):
        return Verdict(
            Kind.permanent,
            f"A file is not there or may not be read ({name})",
            "Put the file in its place where every worker can read it; the traceback names it.",
        )
    return Verdict(Kind.permanent, f"An error that is not known stopped the task ({name})", _UNKNOWN.advice)


def _of_http(status: int) -> Verdict:
    what = f"A server answered with HTTP status {status}"
    if status == 429:
        return Verdict(Kind.rate_limit, what, NOBODY_NEEDED)
    if status == 408:
        return Verdict(Kind.network, what, NOBODY_NEEDED)
    if status >= 500:
        return Verdict(Kind.outage, what, "Check that server.")
    return Verdict(Kind.permanent, what, "Correct what is asked of it, or the login.")


def _span(seconds: float) -> str:
    return f"{seconds / MINUTE:g} min" if seconds >= MINUTE else f"{seconds:g} s"
