"""The gate's library comes without what the gate never uses, and with it for whoever does."""

import json
import subprocess
import sys

from include.audience.gate_library import SELDOM_USED

LOOK = """
import gc, inspect, json, sys
from include.audience import gate_library
gate_library.load()
def real():
    return [name for name in gate_library.SELDOM_USED if type(sys.modules[name]).__name__ == "module"]
seen = [real()]
import great_expectations.expectations
inspect.getmodule(great_expectations.expectations)  # looks at every module there is
seen.append(real())
from great_expectations.expectations.core import expect_column_kl_divergence_to_be_less_than as user
user.alt.Chart, user.stats.norm
seen.append(real())
print(json.dumps([seen, gc.isenabled()]))
"""


def test_seldom_used_packages_are_imported_when_they_are_used() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True, timeout=120)
    seen, collects = json.loads(done.stdout.splitlines()[-1])
    assert seen == [[], [], list(SELDOM_USED)]
    assert collects
