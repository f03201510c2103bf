"""Imports Great Expectations without what the gate never uses.

The library imports all it can do at its top. Two packages behind single expectations and their charts, of which the
gate has none, take two fifths of the time and 60 MB: they are imported when somebody uses them. The collector would go
through every new object again and again meanwhile, for another tenth; what a library defines is never garbage.
"""

import gc
import logging
import os
import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

SELDOM_USED = ("altair", "scipy.stats")


class _Postponed(ModuleType):
    """Stands for a module until an attribute of it is asked for, and passes that on to the module itself."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


def load() -> None:
    """Import the library, quietly: no usage statistics, and no log line for each of its own functions."""
    if "great_expectations" in sys.modules:
        return
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    for name in SELDOM_USED:
        postpone(name)
    collecting = gc.isenabled()
    gc.disable()
    try:
        import_module("great_expectations")
    finally:
        if collecting:
            gc.enable()


def postpone(name: str) -> None:
    """Import a module at its first use; one that is imported or not installed is left as it is."""
    if name in sys.modules or (spec := find_spec(name)) is None:
        return
    stand_in = _Postponed(name)
    # what the import system and inspect look at must not be a use
    stand_in.__spec__, stand_in.__loader__, stand_in.__file__ = spec, spec.loader, spec.origin
    sys.modules[name] = stand_in
