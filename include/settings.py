"""All settings, read once from the environment and typed.

A setting is an environment variable; what is not set has the default shown here. ``bongsu env`` prints the ones of the
services embedded on this machine.
"""

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from include.errors import BongsuError

ROOT = Path(__file__).resolve().parent.parent


# What tasks never need: to see every tenant, to change tables, to act as Airflow's administrator.
PRIVILEGES = frozenset(
    {
        "BONGSU_PLATFORM_URL",
        "BONGSU_OWNER_URL",
        "BONGSU_LINE_TABLES_URL",
        "BONGSU_AIRFLOW_USER",
        "BONGSU_AIRFLOW_PASSWORD",
    }
)


class WrongSetting(BongsuError):
    """A setting has a value that cannot be meant; names it and says what can."""


@dataclass(frozen=True)
class Settings:
    """The settings of this process.

    :param home: state directory of this installation.
    :param store_url: campaign store as the application role, which row-level security binds.
    :param platform_url: campaign store as the platform role, which sees every tenant.
    :param owner_url: campaign store as the owner of its tables; used by migrations, backup, restore and ``keys``.
    :param line_url: the SMS line's MariaDB or MySQL, as an account that may SELECT and INSERT.
    :param line_tables_url: the same as the owner of its tables; used by the step that makes them, by backup and by
        restore.
    :param keyring: file with the encryption keys.
    :param manifests: folder of the compiled DAG manifests.
    :param customer_files: folder with a folder for each tenant's customer files, named by the tenant's slug.
    :param quiet_hours: ``HH:MM-HH:MM`` by the recipients' clock in which no advertising leaves, or ``off``.
    :param misfire_minutes: a scheduled run that starts later than this after its time sends nothing.
    :param receipt_hours: how long receipts are waited for before a message is marked expired.
    :param poll_seconds: pause between two looks at the line while waiting for receipts.
    :param retry_seconds: pause before a failed task of a run is tried again.
    :param airflow_port: port of this machine on which the embedded Airflow has to listen; 0 for a free one.
    """

    home: Path
    store_url: str
    platform_url: str
    owner_url: str
    line_url: str
    line_tables_url: str
    keyring: Path
    manifests: Path
    customer_files: Path
    quiet_hours: str
    misfire_minutes: int
    receipt_hours: int
    poll_seconds: float
    retry_seconds: float
    airflow_url: str
    airflow_user: str
    airflow_password: str
    airflow_port: int

    @classmethod
    def from_environment(cls, env: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings from ``env``, by default the process's environment.

        :raises WrongSetting: one has a value that cannot be meant.
        """
        values = os.environ if env is None else env
        home = Path(values.get("BONGSU_HOME") or ROOT / ".bongsu").resolve()
        return cls(
            home=home,
            store_url=values.get("BONGSU_STORE_URL", ""),
            platform_url=values.get("BONGSU_PLATFORM_URL", ""),
            owner_url=values.get("BONGSU_OWNER_URL", ""),
            line_url=values.get("BONGSU_LINE_URL", ""),
            line_tables_url=values.get("BONGSU_LINE_TABLES_URL", ""),
            keyring=Path(values.get("BONGSU_KEYRING") or home / "keyring.json"),
            manifests=Path(values.get("BONGSU_MANIFESTS") or home / "manifests"),
            customer_files=Path(values.get("BONGSU_CUSTOMER_FILES") or ROOT / "campaigns"),
            quiet_hours=_quiet_hours(values),
            misfire_minutes=_whole(values, "BONGSU_MISFIRE_MINUTES", 5, least=0),
            receipt_hours=_whole(values, "BONGSU_RECEIPT_HOURS", 72, least=1),
            poll_seconds=_seconds(values, "BONGSU_POLL_SECONDS", 5, least=0.1),
            retry_seconds=_seconds(values, "BONGSU_RETRY_SECONDS", 30, least=0),
            airflow_url=values.get("BONGSU_AIRFLOW_URL", ""),
            airflow_user=values.get("BONGSU_AIRFLOW_USER", ""),
            airflow_password=values.get("BONGSU_AIRFLOW_PASSWORD", ""),
            airflow_port=_whole(values, "BONGSU_AIRFLOW_PORT", 0, least=0, most=65_535),
        )


def without_privileges(environment: Mapping[str, str]) -> dict[str, str]:
    """``environment`` as a process may have it that runs tasks."""
    return {name: value for name, value in environment.items() if name not in PRIVILEGES}


def _quiet_hours(values: Mapping[str, str]) -> str:
    name = "BONGSU_QUIET_HOURS"
    text = values.get(name, "21:00-08:00")
    clock = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
    times = re.fullmatch(f"({clock})-({clock})", text)
    if text != "off" and (times is None or times[1] == times[2]):
        raise WrongSetting(
            f"{name} is {text!r}. Write two different times as 21:00-08:00, or off for hours that are all alike."
        )
    return text


def _whole(values: Mapping[str, str], name: str, default: int, *, least: int, most: int = 1_000_000) -> int:
    text = values.get(name, str(default))
    if not re.fullmatch("[0-9]{1,9}", text) or not least <= int(text) <= most:
        raise WrongSetting(f"{name} is {text!r}. Write a whole number from {least} to {most:,}, such as {default}.")
    return int(text)


def _seconds(values: Mapping[str, str], name: str, default: float, *, least: float) -> float:
    text = values.get(name, str(default))
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds) or seconds < least:
        raise WrongSetting(f"{name} is {text!r}. Write a number of seconds, {least} or more, such as {default}.")
    return seconds


@cache
def settings() -> Settings:
    """The settings of this process, read at the first call."""
    return Settings.from_environment()
