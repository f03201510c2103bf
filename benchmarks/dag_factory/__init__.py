"""The peer of our loaders: the ``dag-factory`` package, pinned, in a folder of its own.

Beside our own packages its Airflow plugin would run in every component of every Airflow here.
"""

import subprocess
from pathlib import Path

from include.errors import BongsuError
from include.settings import ROOT

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
INSTALLER = ROOT / ".bongsu" / "bootstrap" / "bin" / "python"
FOLDER = ROOT / ".bongsu" / "dag-factory"


def installed() -> Path:
    """The folder with the pinned package, for PYTHONPATH; fetched at the first call.

    :raises BongsuError: it cannot be fetched.
    """
    stamp = FOLDER / "requirements.txt"
    if stamp.is_file() and stamp.read_bytes() == REQUIREMENTS.read_bytes():
        return FOLDER
    command = [str(INSTALLER), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes"]
    command += ["--no-deps", "--only-binary", ":all:", "--upgrade", "--target", str(FOLDER), "-r", str(REQUIREMENTS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BongsuError(
            "dag-factory, which parsing is compared with, could not be fetched. Is there a network, or a package index "
            f"of your own to name in PIP_INDEX_URL? {done.stderr.strip()[-500:]}"
        )
    stamp.write_bytes(REQUIREMENTS.read_bytes())
    return FOLDER
