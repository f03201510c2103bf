"""``make compose``: our Dockerfile and our compose file in a real engine, from the build to the second start.

It needs root on a Debian with the packages that it names when they are missing. Everything lies in .bongsu/compose and
goes when it ends; ``KEEP=1`` keeps the engine's images, which makes the next proof faster. The last line is
``N passed, N failed``; the exit code is 0 when none has failed.
"""

import os
import shutil
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from include.settings import ROOT
from tests.compose import images
from tests.compose.checks import CHECKS
from tests.compose.engine import COMPOSE, DOCKER, DOCKERD, Engine, Failed
from tests.compose.stack import Stack

WORK = ROOT / ".bongsu" / "compose"
NEEDED = {DOCKERD: "docker.io", DOCKER: "docker.io", COMPOSE: "docker-compose", "/usr/sbin/debootstrap": "debootstrap"}


class Steps:
    """Says each step, how long it took, and counts."""

    def __init__(self) -> None:
        self.passed = self.failed = 0

    def __call__(self, text: str, work: Callable[[], object]) -> None:
        """Do one step.

        :raises Failed: it did not do what it says.
        """
        print(f"{text} … ", end="", flush=True)
        began = time.monotonic()
        try:
            work()
        except BaseException:
            self.failed += 1
            print(f"FAILED after {time.monotonic() - began:.1f} s", flush=True)
            raise
        self.passed += 1
        print(f"{time.monotonic() - began:.1f} s", flush=True)


def main() -> int:
    missing = sorted({package for program, package in NEEDED.items() if not Path(program).exists()})
    if os.geteuid() != 0 or missing:
        say = f"apt-get install --no-install-recommends {' '.join(missing)}" if missing else "run it as root"
        print(f"make compose starts a container engine of its own, as root. First: {say}", file=sys.stderr)
        return 1
    WORK.mkdir(parents=True, exist_ok=True)
    log = WORK / "engine.log"
    log.unlink(missing_ok=True)
    step = Steps()
    keep = os.environ.get("KEEP") == "1"
    engine = Engine(WORK / "engine", log)
    stack = Stack(engine, WORK)
    try:
        step("starting an engine", lambda: engine.start(alone=False))
        images.build_all(engine, WORK, step)
        engine.stop()
        step("starting the engine again, in a network of its own", lambda: engine.start(alone=True))
        for text, check in CHECKS:
            step(text, partial(check, stack))
    except Failed as error:
        print(f"    {error}\n    All that the engine and its containers said: {log}", file=sys.stderr)
    finally:
        _clean_up(engine, stack, keep=keep)
    print(f"{step.passed} passed, {step.failed} failed")
    return 1 if step.failed else 0


def _clean_up(engine: Engine, stack: Stack, *, keep: bool) -> None:
    if engine.has_namespace:
        stack.keep_logs()
        stack.down()
        engine.attempt(DOCKER, "image", "prune", "--force")
    engine.remove(keep_data=keep)
    for leftover in ("base", "contexts", "secrets", "data"):
        shutil.rmtree(WORK / leftover, ignore_errors=True)
    stack.file.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
