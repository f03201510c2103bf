"""Where customer files lie: each tenant's in a folder of its own, so that no campaign reads another tenant's upload.

The folder of tenant ``acme`` is ``acme`` in the setting ``customer_files``. The folder itself may be a link of the
operator's; a link inside it that leads out of it is not followed.
"""

from pathlib import Path

from include.errors import Refused
from include.settings import settings

SAME_FILE = "the test file is the file of the customers"


class NotOwn(Refused):
    """A file that the tenant's campaigns do not read."""

    def __init__(self, name: str, problem: str, fix: str) -> None:
        self.problem, self.fix = problem, fix
        super().__init__(f"{name}: {problem}. {fix}")


def folder_of(tenant: str) -> Path:
    """The folder of the tenant's files, links resolved."""
    return (settings().customer_files / tenant).resolve()


def other_owner(tenant: str, path: Path) -> str | None:
    """Another tenant in whose folder ``path`` lies, links resolved; ``None`` in the tenant's own, or outside of all."""
    root, place = settings().customer_files, path.resolve()
    if place.is_relative_to(folder_of(tenant)) or not root.is_dir():
        return None
    others = (one.name for one in root.iterdir() if one.is_dir() and place.is_relative_to(one.resolve()))
    return next(others, None)


def own_file(tenant: str, path: Path) -> Path:
    """``path`` with its links and ``..`` resolved: what is checked here is what has to be opened.

    :raises NotOwn: it is not in the tenant's folder, or no path at all.
    """
    folder = folder_of(tenant)
    try:
        resolved = path.resolve()
        resolved.exists()  # a name too long for the file system shows here
    except (OSError, RuntimeError, ValueError):
        raise NotOwn("audience", "no file can have this name", "Correct it in the campaign.") from None
    if not resolved.is_relative_to(folder):
        raise NotOwn(path.name, f"the file is not in the folder of tenant {tenant}", f"Put it into {folder}.")
    return resolved
