"""The one definition of a campaign, whether it came from YAML, a trigger form, the console or the API.

Owns the fields, their defaults, their descriptions (the JSON schema, the docs and the forms are made of
them) and every check that needs nothing but the definition itself. What needs the customer's file or the
store is checked by the stages.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from include.campaigns.mistakes import mistake, shown
from include.campaigns.times import DAYS, USUAL_ZONE, aware, check_cron, check_zone, end_of_day, moment
from include.campaigns.wording import (
    check_advertising,
    check_no_advertising,
    check_subject,
    check_text,
    composed,
    one_line,
    sender_digits,
    visible,
)
from include.settings import settings

SLUG = r"^[a-z0-9][a-z0-9-]{0,62}$"
CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"

# As Linux takes them, with room for the folder that a relative path starts at.
PATH_CHARACTERS, NAME_BYTES = 1_024, 255
TITLE_CHARACTERS = 200
WEEK_MINUTES = 7 * 24 * 60

Share = Annotated[float, Field(ge=0, le=1)]
Line = Annotated[str, BeforeValidator(one_line)]
Header = Annotated[Line, Field(min_length=1)]
Clock = Annotated[str, Field(pattern=CLOCK, description="HH:MM, 24 hours", examples=["09:00"])]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Purpose = Literal["advertising", "informational", "authentication"]
Channel = Literal["sms"]


def customer_file(value: Any, info: ValidationInfo) -> Any:
    """The path of a file that the import reads, absolute when the definition's ``folder`` is in the context."""
    if not isinstance(value, str) or not value:
        return value
    _check_path(visible(value))
    if Path(value).suffix.lower() not in {".csv", ".tsv", ".txt", ".xlsx"}:
        raise mistake(
            f"{shown(Path(value).name)} is neither CSV (.csv, .tsv, .txt) nor Excel (.xlsx)",
            "Save the file as CSV or XLSX.",
        )
    if info.context is None:
        return value
    try:
        found = str((info.context["folder"] / value).resolve())
    except (OSError, RuntimeError):
        raise mistake(f"{shown(value)} cannot be followed to a file", "Write the path of the file itself.") from None
    _check_path(found)
    return found


def _check_path(value: str) -> None:
    if len(value) > PATH_CHARACTERS:
        raise mistake(f"the path has {len(value):,} characters", f"Write one of at most {PATH_CHARACTERS:,}.")
    if any(len(name.encode()) > NAME_BYTES for name in Path(value).parts):
        raise mistake(f"a name in the path is longer than {NAME_BYTES} bytes", "Give the file or folder a shorter one.")


CustomerFile = Annotated[str, BeforeValidator(customer_file), Field(min_length=1)]


class Part(BaseModel):
    """What every part has in common: an unknown field is a mistake, and nothing changes after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class RowRange(Part):
    """How many rows the file may have."""

    min: int = Field(default=1, ge=0, description="fewest rows the file may have")
    max: int | None = Field(default=None, ge=1, description="most rows the file may have; no limit when left out")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.max is not None and self.max < self.min:
            raise mistake(f"max ({self.max}) is below min ({self.min})", "Swap them or leave one out.", "max")
        return self


class ChangeRange(Part):
    """Rows of this run divided by the rows of the campaign's last run."""

    min_ratio: float = Field(default=0, ge=0, description="0.5 refuses a file less than half as long as the last one")
    max_ratio: float | None = Field(
        default=None, gt=0, description="2 refuses a file over twice as long as the last one"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.max_ratio is not None and self.max_ratio < self.min_ratio:
            problem = f"max_ratio ({self.max_ratio}) is below min_ratio ({self.min_ratio})"
            raise mistake(problem, "Swap them or leave one out.", "max_ratio")
        return self


class Gate(Part):
    """What the imported rows have to satisfy before anything is sent; a run that does not is refused."""

    min_valid_share: Share = Field(default=0.5, description="smallest share of rows with a usable number and text")
    rows: RowRange = Field(default=RowRange(), description="how many rows the file may have")
    change_from_last_run: ChangeRange | None = Field(
        default=None,
        description="how far the number of rows may be from the last run's; not checked when left out",
    )
    max_duplicate_share: Share | None = Field(
        default=None, description="largest share of rows that repeat a number; not checked when left out"
    )
    max_null_share: dict[Header, Share] = Field(
        default={}, description="largest share of empty cells, by column name", examples=[{"name": 0.1}]
    )


class Audience(Part):
    """Who is written to: a customer file and how to read it."""

    file: CustomerFile = Field(
        description="customer file, CSV or XLSX, in the tenant's own folder; a relative path starts at the "
        "folder of the YAML file",
        examples=["contacts.csv"],
    )
    test_file: CustomerFile | None = Field(
        default=None,
        description="who gets a test send: a small file of your own people with the same columns; without it a test "
        "send is refused, and it never goes to the customers",
        examples=["testers.csv"],
    )
    sheet: Line | None = Field(default=None, description="sheet of an XLSX file; the first visible one when left out")
    encoding: Literal["utf-8", "cp949"] | None = Field(
        default=None, description="encoding of a CSV file (EUC-KR is part of cp949); recognised when left out"
    )
    delimiter: Literal[",", ";", "\t", "|"] | None = Field(
        default=None, description="separator of a CSV file; recognised when left out"
    )
    columns: dict[Header, Header] = Field(
        description="our name of a column: the header it has in the file. phone is required; consent, when "
        "mapped, excludes rows without a yes; every other column can be used in the text under its header",
        examples=[{"phone": "휴대폰", "name": "이름"}],
    )
    keep: Literal["first", "last"] = Field(default="first", description="which row stays when a number is there twice")
    consent: Literal["file", "recorded"] = Field(
        default="file",
        description="file: the tenant vouches for its file, so recorded refusals and a mapped consent column "
        "exclude; recorded: a consent recorded in the campaign store is needed",
    )
    gate: Gate = Field(default=Gate(), description="what the rows have to satisfy before anything is sent")

    @field_validator("columns")
    @classmethod
    def _phone_is_mapped(cls, value: dict[str, str]) -> dict[str, str]:
        if "phone" not in value:
            raise mistake("phone is missing", "Add phone: and the header of the column with the phone numbers.")
        return value


class Message(Part):
    """What is sent."""

    channel: Channel = Field(description="the channel the message goes out on")
    sender: Annotated[str, BeforeValidator(sender_digits)] = Field(
        description="registered sender number, 8 to 11 digits with the area code; dashes are dropped",
        examples=["0212345678"],
    )
    text: Annotated[str, BeforeValidator(composed)] = Field(
        min_length=1,
        description="the text; {{column}} stands for a row's value, {{column|other}} for other if it is empty",
        examples=["(광고) [ACME] {{name|고객}}님, 20% 할인 무료수신거부 080-123-4567"],
    )
    subject: Line | None = Field(
        default=None, description="subject of a long message, at most 40 EUC-KR bytes; needs allow_lms"
    )
    allow_lms: bool = Field(
        default=False, description="send as LMS, at the LMS price, when the text does not fit 90 EUC-KR bytes"
    )
    fallback: tuple[()] = Field(default=(), description="further channels, in order; none exist yet")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.subject is not None:
            if not self.allow_lms:
                raise mistake("an SMS has no subject", "Remove it, or allow long messages: allow_lms: true.", "subject")
            check_subject(self.subject)
        check_text(self.text, self.allow_lms)
        return self


class Weekly(Part):
    """Certain days of every week."""

    days: tuple[Day, ...] = Field(min_length=1, description="days of the week", examples=[["mon", "thu"]])
    at: Clock

    @field_validator("days")
    @classmethod
    def _in_week_order(cls, value: tuple[Day, ...]) -> tuple[Day, ...]:
        return tuple(sorted(set(value), key=DAYS.index))


class Schedule(Part):
    """When it is sent. Nothing given means: when a person starts it."""

    at: Annotated[datetime, BeforeValidator(moment)] | None = Field(
        default=None, description="once, at this moment", examples=["2026-12-24T09:00:00+09:00"]
    )
    daily: Clock | None = Field(default=None, description="every day at this time", examples=["09:00"])
    weekly: Weekly | None = Field(default=None, description="certain days of every week at a time")
    cron: Annotated[str, BeforeValidator(check_cron)] | None = Field(
        default=None, description="five-field cron expression, at most once an hour", examples=["0 9 1 * *"]
    )
    valid_from: Annotated[datetime, BeforeValidator(moment)] | None = Field(
        default=None, description="nothing is sent before this moment"
    )
    valid_until: Annotated[datetime, BeforeValidator(end_of_day)] | None = Field(
        default=None, description="nothing is sent after this moment; a date means the end of that day"
    )
    timezone: Annotated[str, BeforeValidator(check_zone)] | None = Field(
        default=None,
        description="time zone of all times here; the tenant's when left out",
        examples=["Asia/Seoul"],
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [name for name in ("at", "daily", "weekly", "cron") if getattr(self, name) is not None]
        if len(given) > 1:
            raise mistake(f"{' and '.join(given)} exclude each other", "Keep one of them.", given[1])
        # Without a zone the tenant's is meant; the order of times without offsets is the same in any.
        zone = self.timezone or USUAL_ZONE
        first, last = aware(self.valid_from, zone), aware(self.valid_until, zone)
        if first and last and last < first:
            raise mistake("valid_until is before valid_from", "Swap them or leave one out.", "valid_until")
        when = aware(self.at, zone)
        if when and ((first and when < first) or (last and when > last)):
            problem = "at is outside valid_from to valid_until, so nothing would ever be sent"
            raise mistake(problem, "Move it, or leave the window out.", "at")
        return self


class Delivery(Part):
    """How it is sent."""

    chunk_size: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="recipients one dispatch task hands over; when left out 10,000, for a large audience up to 50,000, "
        "so that it makes about two dozen tasks",
    )
    receipt_hours: int = Field(
        default_factory=lambda: settings().receipt_hours,
        ge=1,
        le=720,
        description="hours receipts are waited for; the installation's setting (72) when left out",
    )
    misfire_minutes: int | None = Field(
        default=None,
        ge=1,
        le=WEEK_MINUTES,
        description="a scheduled run that starts later than this after its time sends nothing, at most a week; "
        "the installation's setting (5) when left out",
    )


class CampaignSpec(Part):
    """A campaign."""

    tenant: str = Field(pattern=SLUG, description="slug of the tenant it belongs to", examples=["acme"])
    slug: str = Field(pattern=SLUG, description="its name in addresses and DAG ids", examples=["spring-sale"])
    title: Line = Field(
        min_length=1, max_length=TITLE_CHARACTERS, description="its name for people", examples=["봄맞이 할인"]
    )
    purpose: Purpose = Field(description="advertising needs (광고), a free opt-out and daytime; the others do not")
    audience: Audience
    message: Message
    schedule: Schedule = Field(default=Schedule(), description="when it is sent; empty means when a person starts it")
    delivery: Delivery = Field(default_factory=Delivery, description="how it is sent")

    @model_validator(mode="after")
    def _lawful(self) -> Self:
        if self.purpose == "advertising":
            check_advertising(self.message.text)
        else:
            check_no_advertising(self.purpose, "text", self.message.text)
            check_no_advertising(self.purpose, "subject", self.message.subject or "")
        return self

    @property
    def dag_id(self) -> str:
        """The id of its DAG, which never changes."""
        return f"campaign__{self.tenant}__{self.slug}"

    def document(self) -> dict[str, Any]:
        """The whole spec as JSON values, defaults included: what is stored, hashed and put into a run."""
        return self.model_dump(mode="json")
