"""Import and dispatch as a competent user would write them in Airflow: pandas, ``to_sql``, ``executemany``, XCom.

The same work as ours, a function a task: numbers brought to one form, the text's bytes counted, personal data encrypted
(Fernet, as Airflow itself does), a reason for every row that is left out, an audience without duplicates and refusals,
a claim and a state for each message. ``to_sql`` is asked as it is fastest here: its plain method, 1,000 rows at a time
(``method="multi"`` takes eight times as long with psycopg 3). What Airflow would take for the tasks themselves is not
in it.
"""

import hmac
import json
from datetime import datetime
from functools import cache
from pathlib import Path

import pandas as pd  # type: ignore[import-untyped]  # it has no types
import psycopg
from cryptography.fernet import Fernet
from sqlalchemy import Engine, create_engine

from benchmarks.campaign import worker_line

TEXT = "(광고) [ACME] {name}님, 봄맞이 20% 할인 무료수신거부 080-123-4567"
SENDER = "0212345678"
SMS_BYTES = 90
MAKE_UP = b"\xa4\xd4"
"""How Python's codec begins a syllable that EUC-KR lacks."""
MOBILE = r"010\d{8}|01[16789]\d{7,8}"
YES = ["y", "예", "동의"]
BATCH = 1_000
TENANT = 1


@cache
def engine(url: str) -> Engine:
    """SQLAlchemy's engine for ``url``, one a process."""
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))


@cache
def database(url: str) -> psycopg.Connection:
    """The connection of this process for what needs no data frame."""
    return psycopg.connect(url)


def import_targets(url: str, run: int, file: Path, key: bytes) -> None:
    """Read and clean the customer file, and leave it encrypted in ``staged``."""
    frame = pd.read_csv(file, dtype=str, keep_default_na=False)
    phones = _clean(frame["휴대폰"])
    names, consent = frame["이름"].str.strip(), frame["수신동의"].str.strip().str.lower().isin(YES)
    kinds = names.map(_kind)
    usable = phones.str.fullmatch(MOBILE)
    good = usable & (kinds == "S")
    fernet = Fernet(key)
    staged = pd.DataFrame(
        {
            "tenant_id": TENANT,
            "run_id": run,
            "row_no": range(1, len(frame) + 1),
            "kind": kinds.where(good),
            "consent": consent,
            "phone_index": phones[good].map(lambda phone: hmac.digest(key, phone.encode(), "sha256").hex()),
            "phone_enc": phones[good].map(lambda phone: fernet.encrypt(phone.encode()).decode()),
            "name_enc": names[good].map(lambda name: fernet.encrypt(name.encode()).decode()),
            "reject_reason": kinds.where(usable, "phone").where(~good),
            "masked": phones.str.slice(0, 3).where(~good),
        }
    )
    _append(url, "staged", staged)


def validate_targets(url: str, run: int) -> None:
    """The gate: enough usable rows."""
    found = pd.read_sql(f"SELECT count(*) AS n, count(phone_enc) AS good FROM staged WHERE run_id = {run}", engine(url))
    assert found["good"][0] >= 0.8 * found["n"][0]


def dedupe_targets(url: str, run: int) -> int:
    """The audience: one recipient a number, refusals left out, everybody else with a reason; how many recipients."""
    staged = pd.read_sql(f"SELECT * FROM staged WHERE run_id = {run} ORDER BY row_no", engine(url))
    suppressed = pd.read_sql("SELECT phone_index FROM suppressions", engine(url))["phone_index"]
    reason = staged["reject_reason"].copy()
    usable = staged["phone_index"].notna()
    refused = staged.loc[usable & ~staged["consent"], "phone_index"]
    reason[usable & staged["phone_index"].isin(refused)] = "no_consent"
    reason[usable & staged["phone_index"].isin(suppressed)] = "suppressed"
    reason[usable & staged.duplicated("phone_index")] = "duplicate"
    chosen = staged[reason.isna()]
    recipients = chosen[["tenant_id", "run_id", "row_no", "kind", "phone_index", "phone_enc", "name_enc"]]
    _append(url, "recipients", recipients.assign(recipient_no=range(1, len(chosen) + 1)))
    excluded = staged.assign(reason=reason)[reason.notna()]
    _append(url, "exclusions", excluded[["tenant_id", "run_id", "row_no", "reason", "masked"]])
    return len(chosen)


def batch_recipients(url: str, run: int) -> list[int]:
    """Leave the recipients in batches as XComs, from which the mapped dispatch takes them; their numbers."""
    store = database(url)
    numbers: list[int] = []
    with store.transaction(), store.cursor("recipients") as cursor, store.cursor() as xcom:
        cursor.execute(
            "SELECT recipient_no, kind, phone_enc, name_enc FROM recipients WHERE run_id = %s ORDER BY recipient_no",
            [run],
        )
        while rows := cursor.fetchmany(BATCH):
            numbers.append(len(numbers))
            xcom.execute("INSERT INTO xcom VALUES (%s, 'batch', %s, %s)", [run, numbers[-1], json.dumps(rows)])
    return numbers


def dispatch(batch: tuple[str, int, bytes, int, str, int]) -> None:
    """Hand one batch over: claim, decrypt, render, insert into the line's table, note that it was accepted.

    :param batch: database, run, key, the batch's number, the line's table and number.
    """
    url, run, key, number, table, line_no = batch
    store, line, fernet = database(url), worker_line(), Fernet(key)
    with store.transaction(), store.cursor() as cursor:
        found = cursor.execute(
            "SELECT value::text FROM xcom WHERE run_id = %s AND task_id = 'batch' AND map_index = %s", [run, number]
        ).fetchone()
        assert found is not None
        rows = json.loads(found[0])
        cursor.executemany(
            "INSERT INTO messages VALUES (%s, %s, %s, %s, %s, 'pending')",
            [(TENANT, run, recipient_no, line_no, kind) for recipient_no, kind, _, _ in rows],
        )
    now = datetime.now()
    finished = []
    for recipient_no, kind, phone, name in rows:
        text = TEXT.format(name=fernet.decrypt(name).decode() or "고객")
        number_to = fernet.decrypt(phone).decode()
        finished.append((number_to, SENDER, text, kind, now, f"{run}.0.{recipient_no}", f"{run}.0.{number}"))
    with line.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {table} (dest_no, call_back, msg_contents, msg_type, sendreq_time, app_etc1, app_etc2) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s)",
            finished,
        )
    line.commit()
    with store.transaction(), store.cursor() as cursor:
        cursor.executemany(
            "UPDATE messages SET state = 'accepted', accepted_at = now() WHERE run_id = %s AND recipient_no = %s",
            [(run, recipient_no) for recipient_no, _, _, _ in rows],
        )


def _clean(phones: "pd.Series[str]") -> "pd.Series[str]":
    """Numbers in one form, column by column: digits only, without the country code, with the leading zero."""
    digits = phones.str.normalize("NFKC").str.replace(r"[\s().-]", "", regex=True)
    return digits.str.replace(r"^(?:\+82|0082)0?", "0", regex=True).str.replace(
        r"^(?=1[016789]\d{7,8}$)", "0", regex=True
    )


def _kind(name: str) -> str:
    """``S`` for a text that fits into an SMS, else why it does not."""
    try:
        encoded = TEXT.format(name=name or "고객").encode("euc_kr")
    except UnicodeEncodeError:
        return "unencodable"
    if MAKE_UP in encoded:
        return "unencodable"
    return "S" if len(encoded) <= SMS_BYTES else "text_too_long"


def _append(url: str, table: str, frame: pd.DataFrame) -> None:
    frame.to_sql(table, engine(url), if_exists="append", index=False, chunksize=1_000)
