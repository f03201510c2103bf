"""Servers whose store and line the tests of backup and restore replace as a whole."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import own_home
from tests.store.backup.support import databases_of, leave, opened
from tests.support import Databases


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Servers whose store and line the tests of this module replace as a whole, one after the other."""
    with own_home("backup") as home, databases_of(home, tmp_path_factory.getbasetemp()) as found:
        yield found


@pytest.fixture(autouse=True)
def nobody_stays_connected(acme_folder: Path) -> Iterator[None]:
    """A test that fails leaves no connection that would refuse the next one's restore."""
    yield
    leave(*opened)
