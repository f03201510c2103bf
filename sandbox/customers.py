"""A customer file that nobody has cleaned, and the exact truth about it.

The truth is counted while the rows are made, from how each was made; the product's code is never asked. No row has two
faults at once, so that every row has exactly one right answer. All people and numbers are made up.
"""

import csv
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from math import gcd
from pathlib import Path
from typing import Literal

Encoding = Literal["cp949", "utf-8", "utf-8-sig"]
Row = list[str]

HEADER = ["고객번호", "이름", "휴대폰", "등급", "지역", "포인트", "최근구매일", "수신동의"]

SURNAMES = "김이박최정강조윤장임한오서신권황안송류홍전고문양손배백허유남심노하곽성차주우구민진지엄채원천방공"
SYLLABLES = (
    "가건경관광규근기나다대도동라란람래려례록린마명무문미민범별보봄빈빛상새서석선설성세소솔수숙순승시신아"
    "안애연영예오용우운원월유윤은의이인일재정제조종주준중지진찬창채철초춘치태하한해향혁현형혜호홍화환훈휘"
    "희"
)
LONG_NAMES = (
    "남궁민수",
    "황보다빛나라",
    "선우은숙",
    "제갈공명희",
    "독고영재",
    "알렉산드라 김",
    "응우옌티프엉타오",
    "CHRISTOPHER KIM",
)
# In CP949 and in Unicode, but not among the 2,350 syllables of EUC-KR, which is what a handset shows.
BEYOND_EUC_KR = ("김뷁수", "똠방각하", "이펲", "박햏자", "최숖이", "정샾")
BEYOND_CP949 = ("김하늘😀", "이❤️수", "박𠮷", "Zoë Lee")
GRADES = ("일반", "일반", "일반", "실버", "골드", "VIP")
REGIONS = (
    "서울 강남구",
    "부산 해운대구",
    "대구 수성구",
    "인천 연수구",
    "광주 북구",
    "대전 유성구",
    "울산 남구",
    "제주 제주시",
)
AWKWARD_REGIONS = (
    "서울 강남구, 역삼동",
    "경기 성남시\n분당구 정자동",
    '서울 "구 시청" 앞',
    "부산 해운대구\r\n우동, 101호",
)
YES = ("Y",) * 17 + ("y", "예", "동의")
NO = ("N", "N", "N", "", "아니오")

_FULL_WIDTH = str.maketrans("0123456789-", "０１２３４５６７８９－")
# How people and spreadsheets write a number, given as 010 and four digits twice; a form stands here as often as it is
# used, of 100.
VALID_FORMS: tuple[Callable[[str, str, str], str], ...] = (
    *(lambda p, a, b: f"{p}-{a}-{b}",) * 42,
    *(lambda p, a, b: f"{p}{a}{b}",) * 26,
    *(lambda p, a, b: f"{p[1:]}{a}{b}",) * 9,
    *(lambda p, a, b: f"{p} {a} {b}",) * 5,
    *(lambda p, a, b: f"+82 {p[1:]} {a} {b}",) * 3,
    *(lambda p, a, b: f"+82-{p[1:]}-{a}-{b}",) * 3,
    *(lambda p, a, b: f"+82{p[1:]}{a}{b}",) * 2,
    *(lambda p, a, b: f"0082{p[1:]}{a}{b}",) * 2,
    *(lambda p, a, b: f"({p}) {a} {b}",) * 2,
    *(lambda p, a, b: f"{p}.{a}.{b}",) * 2,
    *(lambda p, a, b: f"{p}-{a}-{b}".translate(_FULL_WIDTH),) * 2,
    *(lambda p, a, b: f" {p}-{a}-{b} ",) * 2,
)
PREFIXES = ("010",) * 195 + ("011", "016", "017", "018", "019")
# By reason: how a number that gets no SMS is written. a and b are four random digits each, the first not 0.
BAD_FORMS: dict[str, tuple[Callable[[str, str], str], ...]] = {
    "empty": (lambda a, b: "", lambda a, b: "  "),
    "scientific_notation": (lambda a, b: "1.01E+09", lambda a, b: f"1.0{a}E+09", lambda a, b: "8.21E+11"),
    "landline": (lambda a, b: f"02-{a}-{b}", lambda a, b: f"031-{a[:3]}-{b}", lambda a, b: f"051{a[:3]}{b}"),
    "internet_phone": (lambda a, b: f"070-{a}-{b}",),
    "representative_number": (lambda a, b: f"1588-{b}", lambda a, b: f"1600-{b}", lambda a, b: f"1899{b}"),
    "toll_free": (lambda a, b: f"080-{a[:3]}-{b}",),
    "foreign": (lambda a, b: f"+1 212 555 {b}", lambda a, b: f"+81-90-{a}-{b}", lambda a, b: f"0086 138 {a} {b}"),
    "too_short": (lambda a, b: f"010-{a[:3]}-{b[:3]}", lambda a, b: f"010-{a[:3]}-{b}", lambda a, b: "010"),
    "too_long": (lambda a, b: f"010-{a}-{b}9", lambda a, b: f"010{a}{b}{a}"),
    "not_a_number": (
        lambda a, b: "없음",
        lambda a, b: "문의 요망",
        lambda a, b: f"010-{a}-{b} 배우자",
        lambda a, b: f"010-{a}-{b}/010-{b}-{a}",
    ),
}
REASONS = tuple(BAD_FORMS)


@dataclass(frozen=True)
class Dirt:
    """Shares of the rows that have a fault."""

    bad_phone: float = 0.03
    unencodable_name: float = 0.002
    duplicate: float = 0.02
    no_consent: float = 0.04
    blank_name: float = 0.01
    long_name: float = 0.01
    awkward_region: float = 0.03


CLEAN = Dirt(0, 0, 0, 0, 0, 0, 0)


@dataclass
class Truth:
    """What is true of a file, for an advertising campaign whose text names the person and whose consent is mapped.

    :ivar rejected: unusable rows by reason; ``unencodable`` are names with a character that EUC-KR lacks.
    :ivar duplicates: usable rows that repeat the number of an earlier one.
    :ivar no_consent: people of whom at least one row has no yes.
    :ivar suppressed: the numbers to put on the suppression list: people who would get the message otherwise.
    :ivar recipients: who is left.
    """

    rows: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    no_consent: int = 0
    suppressed: list[str] = field(default_factory=list)
    recipients: int = 0


def generate(
    path: Path,
    rows: int,
    seed: int = 0,
    dirt: bool = True,
    *,
    encoding: Encoding = "utf-8-sig",
    delimiter: str = ",",
    suppressed: int = 0,
) -> Truth:
    """Write a customer file of ``rows`` rows and say what is true of it; CSV, or XLSX when ``path`` ends so.

    :param dirt: without it every row is fine.
    :param suppressed: how many people to choose for the suppression list.
    """
    truth = Truth()
    lines = _rows(
        rows, seed, Dirt() if dirt else CLEAN, encoding if path.suffix != ".xlsx" else "utf-8", suppressed, truth
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".xlsx":
        _write_xlsx(path, lines)
    else:
        with path.open("w", encoding=encoding, newline="") as file:
            writer = csv.writer(file, delimiter=delimiter)
            writer.writerow(HEADER)
            writer.writerows(lines)
    return truth


def unrelated_numbers(count: int, seed: int = 0) -> list[str]:
    """Mobile numbers that no generated file has: 010 and a first digit of 1."""
    return [f"0101{number:07d}" for number in random.Random(seed).sample(range(10_000_000), count)]


class _Numbers:
    """Mobile numbers, never the same twice: a walk through all eight digits in large steps."""

    LOW, SPAN = 20_000_000, 80_000_000

    def __init__(self, rng: random.Random) -> None:
        self._step = next(
            step for step in iter(lambda: rng.randrange(10_000_019, self.SPAN), 0) if gcd(step, self.SPAN) == 1
        )
        self._place = rng.randrange(self.SPAN)

    def next(self) -> str:
        self._place = (self._place + self._step) % self.SPAN
        return f"{PREFIXES[self._place % len(PREFIXES)]}{self.LOW + self._place}"


def _rows(rows: int, seed: int, dirt: Dirt, encoding: str, suppressed: int, truth: Truth) -> Iterator[Row]:
    rng = random.Random(seed)
    chance, numbers = rng.random, _Numbers(rng)
    today = date(2026, 2, 28)
    days = [(today - timedelta(days=n)).isoformat() for n in range(730)]
    strange = BEYOND_EUC_KR if encoding == "cp949" else BEYOND_EUC_KR + BEYOND_CP949
    # Bounds of the draws, laid end to end.
    bad = dirt.bad_phone
    odd = bad + dirt.unencodable_name
    again = odd + dirt.duplicate
    refused = again + dirt.no_consent
    # People who may appear a second time, and people who may be suppressed: each at most one of the two.
    known: list[str] = []
    every = max(1, rows // (2 * suppressed)) if suppressed else 0
    name_bounds = (dirt.blank_name, dirt.blank_name + dirt.long_name)
    for number in range(1, rows + 1):
        draw = chance()
        consent = YES[int(chance() * len(YES))]
        name = _name(rng, name_bounds)
        if draw < bad:
            reason = REASONS[int(chance() * len(REASONS))]
            forms = BAD_FORMS[reason]
            phone = forms[int(chance() * len(forms))](
                str(rng.randrange(2000, 10_000)), str(rng.randrange(2000, 10_000))
            )
            truth.rejected[reason] += 1
        elif odd <= draw < again and known:
            place = int(chance() * len(known))
            mobile = known[place]
            truth.duplicates += 1
            if chance() < 0.1:
                # A no in any row is a no: the person was a recipient until now.
                consent = NO[int(chance() * len(NO))]
                known[place] = known[-1]
                known.pop()
                truth.no_consent += 1
                truth.recipients -= 1
            phone = _written(mobile, chance)
        else:
            mobile = numbers.next()
            phone = _written(mobile, chance)
            if bad <= draw < odd:
                name = strange[int(chance() * len(strange))]
                truth.rejected["unencodable"] += 1
            elif again <= draw < refused:
                consent = NO[int(chance() * len(NO))]
                truth.no_consent += 1
            elif every and number % every == 0 and len(truth.suppressed) < suppressed:
                truth.suppressed.append(mobile)
            else:
                truth.recipients += 1
                if len(known) < 10_000:
                    known.append(mobile)
                elif chance() < 0.1:
                    known[int(chance() * 10_000)] = mobile
        truth.rows += 1
        regions = AWKWARD_REGIONS if chance() < dirt.awkward_region else REGIONS
        yield [
            f"C{number:07d}",
            name,
            phone,
            GRADES[int(chance() * len(GRADES))],
            regions[int(chance() * len(regions))],
            str(int(chance() * 50_000)),
            days[int(chance() * 730)],
            consent,
        ]


def _written(mobile: str, chance: Callable[[], float]) -> str:
    return VALID_FORMS[int(chance() * len(VALID_FORMS))](mobile[:3], mobile[3:7], mobile[7:])


def _name(rng: random.Random, bounds: tuple[float, float]) -> str:
    draw = rng.random()
    if draw < bounds[0]:
        return ""
    if draw < bounds[1]:
        return LONG_NAMES[int(rng.random() * len(LONG_NAMES))]
    place = int(rng.random() * (len(SURNAMES) * len(SYLLABLES) ** 2))
    place, last = divmod(place, len(SYLLABLES))
    surname, middle = divmod(place, len(SYLLABLES))
    return SURNAMES[surname] + SYLLABLES[middle] + SYLLABLES[last]


def _write_xlsx(path: Path, lines: Iterator[Row]) -> None:
    """A workbook as a spreadsheet saves it: numbers that lost their zero are numbers, and so are the points."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("고객")
    sheet.append(HEADER)
    phone, points, bought = HEADER.index("휴대폰"), HEADER.index("포인트"), HEADER.index("최근구매일")
    for row in lines:
        cells: list[object] = list(row)
        if row[phone].startswith("10") and row[phone].isascii() and row[phone].isdigit():
            cells[phone] = int(row[phone])
        cells[points], cells[bought] = int(row[points]), date.fromisoformat(row[bought])
        sheet.append(cells)
    book.save(path)
