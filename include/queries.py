"""SQL kept as SQL: reads the named query files of ``sql/queries/``."""

from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
QUERIES = ROOT / "sql" / "queries"


@cache
def query(name: str) -> str:
    """The text of ``sql/queries/<name>.sql``, comment header included.

    :param name: path below ``sql/queries`` without the ending, such as ``audience/freeze``.
    :raises FileNotFoundError: there is no such query.
    """
    return (QUERIES / f"{name}.sql").read_text(encoding="utf-8")
