"""Whether the parts of an installation elsewhere answer: what ``bongsu status`` shows of one it has not started."""

from collections.abc import Callable, Iterator
from functools import partial

from include.errors import BongsuError
from include.settings import settings

AIRFLOW_PARTS = {"scheduler": "scheduler", "dag_processor": "DAG processor", "triggerer": "triggerer"}


def parts() -> Iterator[tuple[str, str]]:
    """Each part's name and what is the matter with it; an empty text when it answers."""
    yield "campaign store", _problem(partial(_ask_store, settings().store_url))
    if settings().platform_url:
        yield "campaign store, platform", _problem(partial(_ask_store, settings().platform_url))
    yield "SMS line", _problem(_ask_line)
    if settings().airflow_url:
        yield from _airflow()


def _problem(ask: Callable[[], None]) -> str:
    try:
        ask()
    except BongsuError as error:
        return str(error)
    return ""


def _ask_store(url: str) -> None:
    from include.store import connect

    connect(url).close()


def _ask_line() -> None:
    import MySQLdb

    from include.delivery.line_connection import connect_line
    from include.errors import Unavailable

    try:
        connect_line(settings().line_url, connect_timeout=5).close()
    except MySQLdb.Error as error:
        raise Unavailable(f"The SMS line's database refuses us: {error.args[-1]}") from error


def _airflow() -> Iterator[tuple[str, str]]:
    """Airflow's API, and what it says of its other parts; it needs no login for that."""
    import httpx

    address = settings().airflow_url
    try:
        response = httpx.get(f"{address}/api/v2/monitor/health", timeout=5)
        response.raise_for_status()
        said = response.json()
    except (httpx.HTTPError, ValueError) as error:
        yield "Airflow API", f"{address} does not answer: {error}"
        return
    yield "Airflow API", ""
    for name, title in AIRFLOW_PARTS.items():
        state = (said.get(name) or {}).get("status")
        yield f"Airflow {title}", "" if state == "healthy" else f"is {state or 'unknown'} to Airflow"
