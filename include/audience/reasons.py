"""Every reason for which a row gets no message, in one place.

A *rejection* is a row that cannot be used as it is; the customer can correct it. An *exclusion* is a usable
row left out on purpose. The names are stored, counted in reports and written to the downloadable CSV of
rejected rows, so they never change their meaning.
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Whether the row could not be used, or was left out on purpose."""

    REJECTION = "rejection"
    EXCLUSION = "exclusion"


@dataclass(frozen=True)
class Reason:
    """One reason, in words.

    :param explanation: what is the matter, in plain English, without the row's value.
    :param fix: what the sender of the file can do about it.
    :param label: the short Korean label shown to marketers.
    """

    name: str
    kind: Kind
    explanation: str
    fix: str
    label: str

    def __str__(self) -> str:
        return f"{self.explanation}. {self.fix}"


# Phone numbers
EMPTY = "empty"
SCIENTIFIC_NOTATION = "scientific_notation"
NOT_A_NUMBER = "not_a_number"
TOO_SHORT = "too_short"
TOO_LONG = "too_long"
LANDLINE = "landline"
INTERNET_PHONE = "internet_phone"
REPRESENTATIVE_NUMBER = "representative_number"
TOLL_FREE = "toll_free"
FOREIGN = "foreign"
NOT_MOBILE = "not_mobile"
# Messages
MISSING_VARIABLE = "missing_variable"
UNENCODABLE = "unencodable"
TEXT_TOO_LONG = "text_too_long"
SUBJECT_TOO_LONG = "subject_too_long"
# Exclusions
DUPLICATE = "duplicate"
OPTED_OUT = "opted_out"
SUPPRESSED = "suppressed"
NO_CONSENT = "no_consent"


def _rejection(name: str, label: str, explanation: str, fix: str) -> Reason:
    return Reason(name, Kind.REJECTION, explanation, fix, label)


def _exclusion(name: str, label: str, explanation: str, fix: str) -> Reason:
    return Reason(name, Kind.EXCLUSION, explanation, fix, label)


_ALL = (
    _rejection(EMPTY, "번호 없음", "The phone number is empty", "Fill it in, or remove the row"),
    _rejection(
        SCIENTIFIC_NOTATION,
        "지수 표기",
        "A spreadsheet turned the phone number into scientific notation and its last digits are lost",
        "Format the column as text in the original file and export it again",
    ),
    _rejection(
        NOT_A_NUMBER,
        "번호 아님",
        "The phone number holds something other than one number",
        "Leave one number in the cell, without names or remarks",
    ),
    _rejection(TOO_SHORT, "자릿수 부족", "The phone number has too few digits", "Look up the full number"),
    _rejection(
        TOO_LONG,
        "자릿수 초과",
        "The phone number has too many digits",
        "Leave exactly one number in the cell",
    ),
    _rejection(
        LANDLINE,
        "유선번호",
        "The number is a landline, which receives no SMS",
        "Use a mobile number (010, 011, 016 to 019)",
    ),
    _rejection(
        INTERNET_PHONE,
        "인터넷전화(070)",
        "The number is an internet phone (070), which receives no SMS",
        "Use a mobile number (010, 011, 016 to 019)",
    ),
    _rejection(
        REPRESENTATIVE_NUMBER,
        "대표번호",
        "The number is a company's representative number (such as 1588), which receives no SMS",
        "Use a mobile number (010, 011, 016 to 019)",
    ),
    _rejection(
        TOLL_FREE,
        "수신자부담(080)",
        "The number is toll free (080), which receives no SMS",
        "Use a mobile number (010, 011, 016 to 019)",
    ),
    _rejection(
        FOREIGN,
        "해외번호",
        "The number belongs to another country",
        "Only Korean mobile numbers can be reached by SMS",
    ),
    _rejection(
        NOT_MOBILE,
        "휴대폰 번호 아님",
        "The number is not a Korean mobile number",
        "Use a mobile number (010, 011, 016 to 019)",
    ),
    _rejection(
        MISSING_VARIABLE,
        "변수 값 없음",
        "The message needs a value that the row does not have",
        "Fill in the column, or give the variable a default: {{name|고객}}",
    ),
    _rejection(
        UNENCODABLE,
        "전송할 수 없는 문자",
        "The message would hold a character that SMS (EUC-KR) does not have",
        "Replace the character in the row",
    ),
    _rejection(
        TEXT_TOO_LONG,
        "본문 길이 초과",
        "The message with this row's values is longer than the message type allows",
        "Shorten the text or the row's value, or allow LMS in the campaign",
    ),
    _rejection(
        SUBJECT_TOO_LONG,
        "제목 길이 초과",
        "The LMS subject with this row's values is longer than 40 bytes",
        "Shorten the subject or the row's value",
    ),
    _exclusion(
        DUPLICATE,
        "중복",
        "The same number is in the file more than once",
        "Nothing to do: it gets the message once",
    ),
    _exclusion(OPTED_OUT, "수신거부", "The person refused messages", "Nothing to do: a refusal beats everything else"),
    _exclusion(
        SUPPRESSED,
        "발송제외 목록",
        "The number is on the suppression list",
        "Take it off the list if it is there by mistake",
    ),
    _exclusion(
        NO_CONSENT,
        "수신동의 없음",
        "There is no valid consent to advertising for this person and channel",
        "Record the consent with its evidence, then send again",
    ),
)

REASONS: dict[str, Reason] = {reason.name: reason for reason in _ALL}
REJECTIONS: tuple[str, ...] = tuple(reason.name for reason in _ALL if reason.kind is Kind.REJECTION)
EXCLUSIONS: tuple[str, ...] = tuple(reason.name for reason in _ALL if reason.kind is Kind.EXCLUSION)
