"""When a failed task is tried again, and the sentence that says so in its log.

Airflow asks the policy in the worker, with the error at hand; the scheduler only sees the pause. A process that was
killed is asked nothing: Airflow tries it again after the task's ``retry_delay``, up to the same number of retries.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context, RetryDecision, RetryPolicy
from airflow.sdk.exceptions import (
    AirflowNotFoundException,
    AirflowRuntimeError,
    AirflowTaskTimeout,
    ErrorType,
    TaskDeferralError,
    TaskDeferralTimeout,
)

from include.errors import Refused, RunOver
from include.settings import settings
from include.taxonomy_codes import RETRIES

if TYPE_CHECKING:
    from include.taxonomy import Verdict

FIRST_PAUSE = 30.0
"""The first pause after a lost connection as the taxonomy has it; the setting of the first pause scales them all."""


REFUSAL = "refusal"
"""XCom key of the sentence that says why a run was refused or ended; it becomes the run's note
(operators/run_notes.py).
"""


class Ended(SystemExit):
    """Ends a task as failed, without a retry. Airflow prints a traceback for every exception but this kind, and a
    person who reads why nothing was sent needs none.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(1)
        self.sentence = sentence


def pace() -> float:
    """Factor for all pauses."""
    return settings().retry_seconds / FIRST_PAUSE


def verdict_on(error: BaseException) -> "Verdict":
    """The verdict on any error of a task: Airflow's own, and all that the taxonomy knows."""
    from include.taxonomy import NOBODY_NEEDED, Kind, Verdict, classify

    if isinstance(error, AirflowRuntimeError):
        said = error.error.error
        if said in (ErrorType.API_SERVER_ERROR, ErrorType.GENERIC_ERROR):
            return Verdict(
                Kind.network, "Airflow's API server did not answer the task", "Check that the API server runs."
            )
        return Verdict(
            Kind.permanent, f"Airflow refused what the task asked of it ({said.value})", "Read the task's traceback."
        )
    if isinstance(error, AirflowNotFoundException):
        # Airflow gives the same answer when its API server could not be asked
        return Verdict(
            Kind.network,
            "Airflow did not give the task its connection",
            "Check that the API server runs and that the connections bongsu_store and bongsu_line are there.",
        )
    if isinstance(error, (TaskDeferralError, TaskDeferralTimeout, AirflowTaskTimeout)):
        return Verdict(Kind.network, f"The wait ended early ({type(error).__name__})", "Check that the triggerer runs.")
    if isinstance(error, (SystemExit, KeyboardInterrupt)):
        return Verdict(Kind.network, "The task's process was told to end", NOBODY_NEEDED)
    return classify(error)


@dataclass(frozen=True)
class TryAgainLater(RetryPolicy):
    """Tries again what can get better, after the pauses of its kind; fails at once what cannot.

    :param retries: the task's own ``retries``, from which the tries since the last clear are counted.
    """

    retries: int = RETRIES

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Retry with the pause of the error's kind, or fail when it is permanent or the pauses are used up."""
        from include.taxonomy import attempt_of

        if isinstance(exception, Ended):
            return RetryDecision.fail(exception.sentence)
        verdict, attempt = verdict_on(exception), attempt_of(try_number, max_tries, self.retries)
        pause, reason = verdict.pause(attempt, pace()), verdict.sentence(attempt, pace=pace())
        if pause is None:
            return RetryDecision.fail(reason)
        return RetryDecision.retry(timedelta(seconds=pause), reason)

    def serialize(self) -> dict[str, Any]:
        """The policy as JSON."""
        return {"__type": type(self).__name__, "retries": self.retries}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> "TryAgainLater":
        """The policy from :meth:`serialize`."""
        return cls(retries=int(data["retries"]))


@contextmanager
def explained(operator: Any, context: Context) -> Iterator[None]:
    """Say in one line of the task's log what an error means before Airflow shows its traceback, which is rid of the
    values that servers quote. A refusal is said alone, and on the run.
    """
    # before there is an error: a machine that is full may not be able to import any more
    from include.taxonomy import attempt_of, scrub

    try:
        yield
    except (Refused, RunOver) as refusal:
        sentence = str(refusal) if isinstance(refusal, RunOver) else verdict_on(refusal).sentence()
        operator.log.error("%s", sentence)
        context["ti"].xcom_push(key=REFUSAL, value=sentence)
        raise Ended(sentence) from None
    except Exception as error:
        scrub(error)
        ti: Any = context["ti"]
        attempt = attempt_of(ti.try_number, ti.max_tries, operator.retries)
        operator.log.error("%s", verdict_on(error).sentence(attempt, pace=pace()))
        raise
