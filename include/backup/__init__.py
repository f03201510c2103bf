"""A backup of the campaign store and the SMS line that belong together, and putting one back.

The two are read as of one moment in which no chunk is being handed over. Putting them back never sends anything twice:
whatever may have gone out after the backup is closed first. Decision 19 says how.
"""

from enum import StrEnum


class Part(StrEnum):
    """What is put back when the other is still there, and newer."""

    store = "store"
    line = "line"
