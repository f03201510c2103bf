"""Tenants as the command line adds them."""

import os
import subprocess
import sys

import pytest

from include.settings import ROOT
from tests.support import Databases

pytestmark = pytest.mark.services


def add(databases: Databases, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "include.cli", "tenant", "add", *arguments]
    environment = {**os.environ, **databases.environment}
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("group", ["auth", "test", "nowhere"])
def test_campaigns_get_no_lines_that_are_kept_for_something_else(databases: Databases, group: str) -> None:
    refused = add(databases, f"group-{group}", "--line-group", group)
    assert refused.returncode == 1
    said = f"Error: --line-group {group}: there are "
    assert refused.stderr.startswith(said)
    named = refused.stderr.removeprefix(said).strip().split(", ")
    assert {"bulk-1", "bulk-2", "bulk-3"} <= set(named)
    assert not {"test", "auth", group} & set(named)


def test_a_tenant_is_added_with_a_group_or_with_all_bulk_lines(databases: Databases) -> None:
    for slug, options in (("with-group", ("--line-group", "bulk-2")), ("without-group", ())):
        assert add(databases, slug, *options).stdout == f"Tenant {slug} added.\n"
        assert add(databases, slug, *options).stdout == f"Tenant {slug} is there already; nothing was changed.\n"
    with databases.platform() as platform:
        found = platform.execute(
            "SELECT slug, line_group FROM tenants WHERE slug LIKE '%-group' ORDER BY slug"
        ).fetchall()
    assert found == [("with-group", "bulk-2"), ("without-group", None)]
