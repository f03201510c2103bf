"""What the tests of the store share: campaigns, each of a tenant of its own; rows for any table; and a store with
nothing in it.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

from include.settings import settings
from tests.store.row_support import Rows
from tests.support import Campaign, Databases, make_campaign, numbers, write_csv

People = Path | int | Sequence[Sequence[object]]
Make = Callable[..., Campaign]


@pytest.fixture
def make(databases: Databases, quiet_agents: None, acme_folder: Path) -> Iterator[Make]:
    """Makes campaigns over a file, over rows of (phone, name), or over so many good rows."""
    made: list[Campaign] = []

    def one(rows: People, *, header: Sequence[str] = ("phone", "name"), **options: Any) -> Campaign:
        if isinstance(rows, int):
            rows = [(number, "김철수") for number in numbers(rows)]
        file = rows if isinstance(rows, Path) else write_csv(acme_folder / f"{len(made)}.csv", header, rows)
        made.append(make_campaign(databases, file, **options))
        return made[-1]

    yield one
    for campaign in made:
        campaign.close()


@pytest.fixture(scope="module")
def rows(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rows]:
    """Puts rows into any table; of the staging tables, which only an import makes, there are some."""
    made = Rows(databases)
    file = tmp_path_factory.mktemp("people") / "people.csv"
    staged = make_campaign(databases, write_csv(file, ("phone", "name"), [(n, "김") for n in numbers(3)]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BONGSU_CUSTOMER_FILES", databases.environment["BONGSU_CUSTOMER_FILES"])
        settings.cache_clear()
        staged.import_()
    settings.cache_clear()
    staged.close()
    yield made
    made.platform.close()
    made.owner.close()


@pytest.fixture
def empty_store(databases: Databases) -> Iterator[str]:
    """The owner's URL of a database with nothing in it."""
    with psycopg.connect(databases.admin_url, autocommit=True) as server:
        server.execute("CREATE DATABASE migrated OWNER bongsu_owner")
        try:
            yield databases.owner_url.rsplit("/", 1)[0] + "/migrated"
        finally:
            server.execute("DROP DATABASE migrated WITH (FORCE)")
