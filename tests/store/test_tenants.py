"""Tenants as the command line adds them."""

import subprocess

import pytest

from tests.support import Databases

pytestmark = pytest.mark.services


def add(databases: Databases, *arguments: str) -> subprocess.CompletedProcess[str]:
    return databases.bongsu("tenant", "add", *arguments)


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


def test_adding_a_tenant_that_is_there_with_other_values_says_what_differs(databases: Databases) -> None:
    assert add(databases, "other-values", "--line-group", "bulk-1", "--title", "Other").returncode == 0
    same = add(databases, "other-values", "--title", "Other")
    assert (same.returncode, same.stdout) == (0, "Tenant other-values is there already; nothing was changed.\n")
    differs = add(databases, "other-values", "--line-group", "bulk-2", "--title", "Others", "--parent", "acme")
    assert differs.returncode == 1
    assert differs.stderr == (
        "Error: Tenant other-values is there already, and nothing was changed: its title is Other, not Others; "
        "its parent is not set, not acme; its line group is bulk-1, not bulk-2\n"
    )


def test_the_list_shows_the_ids_that_operators_ask_for(databases: Databases) -> None:
    listed = databases.bongsu("tenant", "list").stdout.splitlines()
    with databases.platform() as platform:
        ids = [number for (number,) in platform.execute("SELECT tenant_id FROM tenants").fetchall()]
    assert sorted(int(line.split()[0]) for line in listed) == sorted(ids)
