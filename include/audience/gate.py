"""The gate: decides over the staged rows as a whole whether anything may be sent.

Great Expectations checks the thresholds of the spec inside PostgreSQL; only counts leave the server. Its result is kept
with the run as a page (:mod:`include.audience.gate_page`). The library takes seconds and 150 MB to import, so it is
imported by the functions that need it and by nothing else, and as :mod:`include.audience.gate_library` has it.
"""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.audience import gate_library
from include.audience.gate_page import write_page
from include.audience.staged import staging_table
from include.campaigns.runs import Run
from include.campaigns.spec import ChangeRange, Gate
from include.errors import Unavailable
from include.queries import query
from include.store import connect

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.expectations.expectation import Expectation

LEAST_SHARE = 1e-9
"""A file without a single usable row is refused even where the spec asks for no share of them."""


@dataclass(frozen=True)
class GateCheck:
    """One threshold: what was expected, what was seen, in words.

    :param name: stable name: ``valid_share``, ``rows``, ``change``, ``duplicates``, ``blank:<column>``.
    :param expectation: name of the expectation that checked it.
    :param fix: what to do when it did not pass.
    """

    name: str
    expectation: str
    subject: str
    observed: str
    limit: str
    passed: bool
    fix: str

    @property
    def sentence(self) -> str:
        """What is wrong and what to do, for a person."""
        return f"{self.subject}: {self.observed}; the gate asks for {self.limit}. {self.fix}"


@dataclass(frozen=True)
class GateResult:
    """All checks of a run, and the page they are kept on."""

    passed: bool
    rows: int
    valid: int
    checks: list[GateCheck]
    docs: Path

    @property
    def rejected(self) -> int:
        """Rows that cannot be sent to."""
        return self.rows - self.valid

    def refusal(self, slug: str) -> str:
        """One sentence a failed check, and where to see the rows."""
        failed = [check.sentence for check in self.checks if not check.passed]
        return "\n".join([f"Nothing was sent: the gate refused the file of {slug}.", *failed, self._where(slug)])

    def _where(self, slug: str) -> str:
        rejected = f"The rejected rows: ./bongsu rejected {slug}. " if self.rejected else ""
        return f"{rejected}The gate's page: {self.docs}"


@dataclass(frozen=True)
class _Check:
    """A threshold before it is checked; ``expectation`` carries ``name`` as its meta."""

    name: str
    subject: str
    limit: str
    fix: str
    expectation: "Expectation"


def rejections(store_url: str, run: Run) -> dict[str, int]:
    """Rejected rows by reason, most frequent first."""
    with connect(store_url, run.tenant_id) as store:
        rows = store.execute(query("audience/gate_rejections"), run.place).fetchall()
    return {str(reason): int(count) for reason, count in rows}


def run_gate(store_url: str, run: Run, docs_folder: Path) -> GateResult:
    """Check the staged rows of ``run`` against its spec and keep the page in ``docs_folder``.

    :param store_url: the store as the application role; the gate sees what the run's tenant may see.
    :raises Unavailable: the store did not answer.
    """
    gate_library.load()
    # the thresholds are about the customers' file; a test send has the few people of its own
    gate = Gate(min_valid_share=0) if run.test_send else run.spec.audience.gate
    checks = list(_checks(gate, _last_rows(store_url, run, gate.change_from_last_run)))
    result = _validate(store_url, run, gate, checks)
    found = {item.expectation_config.meta["check"]: item for item in result.results}
    for item in found.values():
        _raise_error(item)
    rows = int(found["rows"].result["observed_value"])
    valid = rows - int(found["valid_share"].result.get("unexpected_count") or 0)
    decided = [_decide(check, found[check.name], rows, valid) for check in checks]
    docs = write_page(result, docs_folder, f"{run.spec.title} · run {run.run_id}")
    return GateResult(all(check.passed for check in decided), rows, valid, decided, docs)


def _last_rows(store_url: str, run: Run, change: ChangeRange | None) -> int | None:
    if change is None:
        return None
    with connect(store_url, run.tenant_id) as store:
        row = store.execute(query("audience/gate_last_rows"), {"run": run.run_id}).fetchone()
    return int(row[0]) if row else None


def _checks(gate: Gate, last_rows: int | None) -> Iterator[_Check]:
    """The thresholds of the spec as expectations, in the order in which a person reads them."""
    from great_expectations import expectations as gx

    least = max(1, gate.rows.min)
    yield _Check(
        "rows",
        "Rows in the file",
        _between(least, gate.rows.max),
        "Check that it is the right and complete file, or change audience.gate.rows.",
        gx.ExpectTableRowCountToBeBetween(
            min_value=least, max_value=gate.rows.max, meta={"check": "rows"}, notes="Rows in the file."
        ),
    )
    share = max(gate.min_valid_share, LEAST_SHARE)
    yield _Check(
        "valid_share",
        "Rows with a usable number and text",
        f"at least {gate.min_valid_share:.1%}" if gate.min_valid_share else "at least one",
        "Correct the rejected rows in the file, or lower audience.gate.min_valid_share.",
        gx.ExpectColumnValuesToNotBeNull(
            column="usable_row",
            mostly=share,
            meta={"check": "valid_share"},
            notes="Rows that were not rejected: a usable mobile number, and a text that can be sent.",
        ),
    )
    if gate.change_from_last_run is not None and last_rows:
        low, high = _change(gate.change_from_last_run, last_rows)
        yield _Check(
            "change",
            f"Rows in the file, where the last run had {last_rows:,}",
            _between(low, high),
            "Check that it is the right and complete file, or change audience.gate.change_from_last_run.",
            gx.ExpectTableRowCountToBeBetween(
                min_value=low,
                max_value=high,
                meta={"check": "change"},
                notes=f"Rows in the file compared with the {last_rows:,} of the campaign's last finished run.",
            ),
        )
    if gate.max_duplicate_share is not None:
        yield _Check(
            "duplicates",
            "Usable rows that repeat a number",
            f"at most {gate.max_duplicate_share:.1%}",
            "Remove the repeated rows from the file, or raise audience.gate.max_duplicate_share.",
            gx.ExpectColumnProportionOfUniqueValuesToBeBetween(
                column="number",
                min_value=_complement(gate.max_duplicate_share),
                meta={"check": "duplicates"},
                notes="Different numbers among the usable rows.",
            ),
        )
    for place, (column, most) in enumerate(gate.max_null_share.items()):
        yield _Check(
            f"blank:{column}",
            f"Rows without {column}",
            f"at most {most:.1%}",
            f"Fill {column} in the file, or raise its share in audience.gate.max_null_share.",
            gx.ExpectColumnValuesToNotBeNull(
                column=_watched_name(place, column),
                mostly=_complement(most),
                meta={"check": f"blank:{column}"},
                notes=f"Cells of {column} that hold something.",
            ),
        )


def _validate(store_url: str, run: Run, gate: Gate, checks: list[_Check]) -> "ExpectationSuiteValidationResult":
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )
    from sqlalchemy import make_url

    context = gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            progress_bars=ProgressBarsConfig(globally=False),
            analytics_enabled=False,
        ),
    )
    url = make_url(store_url).set(drivername="postgresql+psycopg")
    session = f"-c app.tenant_id={run.tenant_id} -c timezone=UTC -c jit=off -c work_mem=128MB"
    with _no_advice():
        source = context.data_sources.add_sql(
            "campaign store",
            connection_string=url.render_as_string(hide_password=False),
            # Without it the library runs the bare query to learn its columns, and every row crosses the wire.
            create_temp_table=True,
            kwargs={"connect_args": {"options": session, "application_name": "bongsu gate", "connect_timeout": 10}},
        )
    try:
        rows = source.add_query_asset(f"staged targets of run {run.run_id}", query=_query(run.run_id, gate))
        suite = gx.ExpectationSuite(name=f"gate of {run.spec.slug}", expectations=[c.expectation for c in checks])
        definition = gx.ValidationDefinition(
            name=f"run {run.run_id}",
            data=rows.add_batch_definition("every row"),
            suite=context.suites.add(suite),
        )
        return context.validation_definitions.add(definition).run(
            # no example values: they would be rows that leave the server
            result_format={"result_format": "BASIC", "partial_unexpected_count": 0}
        )
    finally:
        source.get_engine().dispose()
        source.get_execution_engine().close()


@contextmanager
def _no_advice() -> Iterator[None]:
    """Without the advice to use its PostgreSQL source, which refuses URLs of Unix sockets."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="You are using a generic SQLDatasource")
        yield


def _query(run_id: int, gate: Gate) -> str:
    watched = "" if gate.max_duplicate_share is None else ", phone_index AS number"
    watched += "".join(
        f',\n       CASE WHEN (blanks & {1 << place}) = 0 THEN true END AS "{_watched_name(place, column)}"'
        for place, column in enumerate(gate.max_null_share)
    )
    text = query("audience/gate").format(staged=staging_table(run_id), watched=watched)
    return text[text.index("SELECT") :]  # the library wants it first


def _watched_name(place: int, column: str) -> str:
    """A name for PostgreSQL, at most 63 bytes and free of what either library would interpret."""
    readable = re.sub(r"\W+", "_", column)[:18]
    return f"column{place + 1}_{readable}"


def _decide(check: _Check, item: Any, rows: int, valid: int) -> GateCheck:
    """A check with what was observed, from the counts of its result."""
    passed = bool(item.success)
    if check.name in ("rows", "change"):
        observed = f"{rows:,}"
    elif check.name == "duplicates":
        share = 1 - float(item.result["observed_value"]) if valid else 0.0
        observed = f"{share:.1%}"
        passed = passed or not valid  # without a usable row there is none to repeat
    else:
        bad = int(item.result.get("unexpected_count") or 0)
        count = rows - bad if check.name == "valid_share" else bad
        observed = f"{count:,} of {rows:,} ({count / rows:.1%})" if rows else "none of none"
        if not rows and check.name == "valid_share":
            passed = False
    return GateCheck(
        name=check.name,
        expectation=item.expectation_config.type,
        subject=check.subject,
        observed=observed,
        limit=check.limit,
        passed=passed,
        fix=check.fix,
    )


def _raise_error(item: Any) -> None:
    """An expectation that could not be checked is an error, never a refusal."""
    info = item.exception_info or {}
    for one in [info, *(value for value in info.values() if isinstance(value, dict))]:
        if one.get("raised_exception"):
            first = str(one.get("exception_message", "")).splitlines()[:1]
            raise Unavailable(f"The gate could not read the staged rows: {' '.join(first)}")


def _change(change: ChangeRange, last_rows: int) -> tuple[int, int | None]:
    """The row counts that a range of ratios allows; decimal, because 0.7 · 10 is more than 7 in floating point."""
    high = None if change.max_ratio is None else floor(Fraction(str(change.max_ratio)) * last_rows)
    return ceil(Fraction(str(change.min_ratio)) * last_rows), high


def _complement(share: float) -> float:
    return round(1 - share, 9)


def _between(low: int, high: int | None) -> str:
    return f"at least {low:,}" if high is None else f"{low:,} to {high:,}"
