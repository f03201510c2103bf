"""Databases on the embedded PostgreSQL that exist for one row of the table only."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

from include.embedded.client import board_of
from include.embedded.service import Site
from include.embedded.state import Home, load_secrets
from include.settings import settings


@dataclass(frozen=True)
class Scratch:
    """A new database, by the role that connects to it; the owner may do everything in it."""

    owner_url: str
    platform_url: str
    store_url: str


@contextmanager
def scratch_database(name: str) -> Iterator[Scratch]:
    """An empty database called ``name``; dropped at the end, and before when an earlier run left it."""
    home = Home(settings().home)
    site = Site(home, board_of(home)["ports"], load_secrets(home))
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    with psycopg.connect(site.store_url("postgres", "postgres"), autocommit=True) as server:
        server.execute(drop)
        server.execute(sql.SQL("CREATE DATABASE {} OWNER bongsu_owner").format(sql.Identifier(name)))
        try:
            yield Scratch(*(site.store_url(role, name) for role in ("bongsu_owner", "bongsu_platform", "bongsu_app")))
        finally:
            server.execute(drop)
