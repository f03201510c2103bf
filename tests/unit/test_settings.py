"""Settings: a value that cannot be meant is refused when it is read, by its name."""

import pytest

from include.settings import Settings, WrongSetting


@pytest.mark.parametrize(
    "hours", ["21-8", "", "21:00-21:00", "21:00", "24:00-08:00", "21:60-08:00", " off", "OFF", "9:00-8:00"]
)
def test_quiet_hours_that_mean_nothing_are_refused(hours: str) -> None:
    with pytest.raises(WrongSetting, match=r"BONGSU_QUIET_HOURS is .* 21:00-08:00, or off"):
        Settings.from_environment({"BONGSU_QUIET_HOURS": hours})


@pytest.mark.parametrize("hours", ["off", "21:00-08:00", "12:00-14:00", "00:00-23:59"])
def test_quiet_hours_that_mean_something_are_taken(hours: str) -> None:
    assert Settings.from_environment({"BONGSU_QUIET_HOURS": hours}).quiet_hours == hours


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BONGSU_MISFIRE_MINUTES", "-5"),
        ("BONGSU_MISFIRE_MINUTES", ""),
        ("BONGSU_MISFIRE_MINUTES", "1.5"),
        ("BONGSU_MISFIRE_MINUTES", "٥"),
        ("BONGSU_MISFIRE_MINUTES", "1000001"),
        ("BONGSU_RECEIPT_HOURS", "0"),
        ("BONGSU_RECEIPT_HOURS", "three"),
        ("BONGSU_POLL_SECONDS", "0"),
        ("BONGSU_POLL_SECONDS", "nan"),
        ("BONGSU_RETRY_SECONDS", "-1"),
        ("BONGSU_RETRY_SECONDS", "inf"),
        ("BONGSU_AIRFLOW_PORT", "65536"),
        ("BONGSU_AIRFLOW_PORT", "http"),
    ],
)
def test_a_number_that_cannot_be_meant_is_refused(name: str, value: str) -> None:
    with pytest.raises(WrongSetting, match=rf"{name} is .* Write "):
        Settings.from_environment({name: value})


def test_what_is_not_set_has_its_default() -> None:
    values = Settings.from_environment({})
    assert (values.quiet_hours, values.misfire_minutes, values.receipt_hours) == ("21:00-08:00", 5, 72)
    assert (values.poll_seconds, values.retry_seconds, values.airflow_port) == (5, 30, 0)
