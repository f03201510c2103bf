"""The auditor finds what is planted on the carrier's side, counts it exactly, and trusts nothing of the hand-over."""

import json
import os
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.delivery.receipts import expire
from include.errors import HandOverError
from include.reporting.audit import Audit, render_audit
from include.reporting.books import close
from include.settings import ROOT
from tests.store.audit_support import finish, plant, recount
from tests.store.conftest import Make
from tests.support import Databases, finish_rows, numbers, write_csv

LONG = "긴 이름" * 20


@pytest.mark.services
def test_a_clean_run_is_clean(make: Make) -> None:
    campaign = finish(make(250))
    done = recount(campaign)
    assert done == Audit(250, 0, 0, 250, 0, 250, 0, 0, 0, 0, 0, 0, 250, 0, 0)
    assert (done.clean, done.agrees_with_certificate, done.expected) == (True, True, 250)
    shown = render_audit(campaign.run, done)
    assert shown[-2:] == ["clean", "agrees with the certificate"]
    assert json.loads(json.dumps(done.document()))["clean"] is True
    assert recount(campaign, every_row=True) == done
    assert campaign.value("SELECT count(*) FROM pg_class WHERE relname LIKE 'audit\\_%%' AND relpersistence = 't'") == 0


def stray(line_no: int, *keys: tuple[str, str]) -> str:
    """Rows that nobody of the audience is to get."""
    rows = ", ".join(f"('01000000000', '0212345678', 'x', NOW(), {key}, {group})" for key, group in keys)
    columns = "dest_no, call_back, msg_contents, sendreq_time, app_etc1, app_etc2"
    return f"INSERT INTO SMSQ_SEND_{line_no} ({columns}) VALUES {rows}"


# chunk 1 (1 to 100) is on line 1, chunk 2 on line 2, chunk 3 on line 3
PLANTED: dict[str, tuple[Sequence[str], dict[str, int]]] = {
    "a row twice in the queue": (
        ["INSERT INTO SMSQ_SEND_1 ({columns}) SELECT {columns} FROM SMSQ_SEND_1 WHERE app_etc1 = '{run}.0.7'"],
        {"twice": 1, "line_rows": 251},
    ),
    "rows again in the log of an earlier month": (
        [
            "CREATE TABLE IF NOT EXISTS SMSQ_SEND_2_202512 LIKE SMSQ_SEND_2",
            "INSERT INTO SMSQ_SEND_2_202512 SELECT * FROM SMSQ_SEND_2 WHERE app_etc1 IN ('{run}.0.101', '{run}.0.102')",
        ],
        {"twice": 2, "line_rows": 252},
    ),
    "a row again on another line of the run": (
        ["INSERT INTO SMSQ_SEND_3 ({columns}) SELECT {columns} FROM SMSQ_SEND_1 WHERE app_etc1 = '{run}.0.9'"],
        {"twice": 1, "line_rows": 251},
    ),
    "a row again on a line of nobody's": (
        ["INSERT INTO SMSQ_SEND_7 ({columns}) SELECT {columns} FROM SMSQ_SEND_1 WHERE app_etc1 = '{run}.0.9'"],
        {"twice": 1, "wrong_line": 1, "line_rows": 251},
    ),
    "a row gone": (
        ["DELETE FROM SMSQ_SEND_3 WHERE app_etc1 = '{run}.0.250'"],
        {"missing": 1, "found": 249, "line_rows": 249, "delivered": 249},
    ),
    "a chunk gone": (
        ["DELETE FROM SMSQ_SEND_2 WHERE app_etc2 = '{run}.0.2'"],
        {"missing": 100, "found": 150, "line_rows": 150, "delivered": 150},
    ),
    "one number changed": (
        ["UPDATE SMSQ_SEND_1 SET dest_no = '01099990000' WHERE app_etc1 = '{run}.0.5'"],
        {"wrong_number": 1},
    ),
    "the numbers of two people exchanged": (
        [
            "UPDATE SMSQ_SEND_1 SET dest_no = '01073000005' WHERE app_etc1 = '{run}.0.5'",
            "UPDATE SMSQ_SEND_1 SET dest_no = '01073000004' WHERE app_etc1 = '{run}.0.6'",
        ],
        {"wrong_number": 2},
    ),
    "one character of a text changed": (
        ["UPDATE SMSQ_SEND_3 SET msg_contents = REPLACE(msg_contents, '20%', '30%') WHERE app_etc1 = '{run}.0.201'"],
        {"wrong_text": 1},
    ),
    "a space at the end of a text": (
        ["UPDATE SMSQ_SEND_3 SET msg_contents = CONCAT(msg_contents, ' ') WHERE app_etc1 = '{run}.0.201'"],
        {"wrong_text": 1},
    ),
    "another sender": (
        ["UPDATE SMSQ_SEND_3 SET call_back = '0200000000' WHERE app_etc1 = '{run}.0.201'"],
        {"wrong_text": 1},
    ),
    "a row for a recipient that there is not": (
        [stray(1, ("'{run}.0.251'", "'{run}.0.3'"))],
        {"stray": 1, "line_rows": 251},
    ),
    "rows of the run with keys that no recipient has": (
        [
            stray(5, ("NULL", "'{run}.0.1'"), ("'{run}.1.1'", "'{run}.1.1'"), ("'{run}.0.01'", "'{run}.0.1'")),
        ],
        {"stray": 3, "wrong_line": 3, "line_rows": 253},
    ),
}


@pytest.mark.services
@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_found_and_counted(make: Make, name: str) -> None:
    statements, expected = PLANTED[name]
    campaign = finish(make(250))
    clean = recount(campaign)
    plant(campaign, *statements)
    done = recount(campaign)
    assert replace(done, disagreements=()) == replace(clean, **expected)  # type: ignore[arg-type]  # all counts
    assert not done.clean
    assert "NOT CLEAN" in render_audit(campaign.run, done)
    same_to_the_books = set(expected) <= {"wrong_number", "wrong_text"}
    assert done.agrees_with_certificate is same_to_the_books


@pytest.mark.services
def test_a_row_under_another_chunk_key_takes_a_look_at_every_row(make: Make) -> None:
    campaign = finish(make(250))
    plant(
        campaign,
        "INSERT INTO SMSQ_SEND_1 ({columns}) SELECT {columns} FROM SMSQ_SEND_1 WHERE app_etc1 = '{run}.0.7'",
        "UPDATE SMSQ_SEND_1 SET app_etc2 = 'x' WHERE app_etc1 = '{run}.0.7' ORDER BY seqno DESC LIMIT 1",
    )
    assert recount(campaign).clean
    assert recount(campaign, every_row=True).twice == 1


@pytest.mark.services
def test_a_changed_audience_is_not_the_certified_one(make: Make) -> None:
    campaign = finish(make(100))
    index = campaign.ring.blind_index("01099990000")
    cipher = campaign.ring.cipher(campaign.run.key)
    campaign.tamper(
        "UPDATE recipients SET phone_index = %s, payload_enc = %s WHERE run_id = %s AND recipient_no = 3",
        index,
        cipher.seal("01099990000\x1f김철수".encode()),
        campaign.run.run_id,
    )
    done = recount(campaign)
    assert done.wrong_number == 1
    assert done.disagreements == ("audience hash: the certificate's is not that of the run as it is now.",)


@pytest.mark.services
def test_a_test_send_is_audited_on_the_test_line(make: Make, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "own.csv", ("phone", "name"), [(number, "김철수") for number in numbers(100)])
    campaign = make(1, audience={"test_file": str(file)}, test_send=True)
    assert campaign.run.lines == [10]
    finish(campaign, lines=(10,))
    assert recount(campaign).clean
    assert recount(campaign).agrees_with_certificate
    plant(
        campaign,
        "INSERT INTO SMSQ_SEND_1 ({columns}) SELECT {columns} FROM SMSQ_SEND_10 WHERE app_etc1 = '{run}.0.1'",
        "DELETE FROM SMSQ_SEND_10 WHERE app_etc1 = '{run}.0.1'",
    )
    assert recount(campaign).faults == {**recount(campaign).faults, "wrong_line": 1, "twice": 0, "missing": 0}


@pytest.mark.services
def test_long_messages_with_a_subject(make: Make) -> None:
    rows = [(number, LONG if place % 2 else "짧은") for place, number in enumerate(numbers(100))]
    campaign = make(rows, message={"allow_lms": True, "subject": "봄 소식"})
    campaign.send()
    finish_rows(campaign, 6, where="msg_type = 'S'")
    finish_rows(campaign, 1000, where="msg_type = 'L'")
    campaign.collect()
    close(campaign.store, campaign.run)
    done = recount(campaign)
    assert (done.clean, done.agrees_with_certificate, done.delivered) == (True, True, 100)
    plant(
        campaign,
        "UPDATE SMSQ_SEND_1 SET subject = '봄 소식!' WHERE app_etc1 = '{run}.0.2'",
        "UPDATE SMSQ_SEND_1 SET msg_type = 'S' WHERE app_etc1 = '{run}.0.4'",
    )
    done = recount(campaign)
    assert done.wrong_text == 2
    assert (done.delivered, done.failed) == (99, 1), "1000 is no delivered SMS"
    assert any(sentence.startswith("delivered: 99") for sentence in done.disagreements)


@pytest.mark.services
def test_late_results_in_the_logs_of_two_months(make: Make) -> None:
    campaign = make(300)
    campaign.send()
    now = datetime.now(UTC) + timedelta(hours=9)
    this, following = f"{now:%Y%m}", f"{now + timedelta(days=31):%Y%m}"
    finish_rows(campaign, 6, where="MOD(SUBSTRING_INDEX(app_etc1, '.', -1), 3) = 0", move_to=this)
    campaign.collect()
    assert expire(campaign.store, campaign.run) == 200
    close(campaign.store, campaign.run)
    done = recount(campaign)
    assert (done.clean, done.agrees_with_certificate, done.delivered, done.waiting) == (True, True, 100, 200)
    # the carrier's word comes after the window has closed: the certificate's expired may be either now
    finish_rows(campaign, 8, where="MOD(SUBSTRING_INDEX(app_etc1, '.', -1), 3) = 1", move_to=following)
    finish_rows(campaign, 6)
    done = recount(campaign)
    assert (done.clean, done.agrees_with_certificate) == (True, True)
    assert (done.delivered, done.failed, done.waiting, done.line_rows) == (200, 100, 0, 300)


@pytest.mark.services
def test_results_that_the_report_does_not_have(make: Make) -> None:
    campaign = finish(make(100))
    plant(campaign, "UPDATE SMSQ_SEND_1 SET status_code = 7 WHERE app_etc1 IN ('{run}.0.1', '{run}.0.2')")
    done = recount(campaign)
    assert done.clean
    assert done.disagreements == (
        "delivered: 98 by the result codes, the certificate says 100.",
        "failed: 2 by the result codes, the certificate says 0.",
    )


@pytest.mark.services
def test_a_run_under_way_has_no_certificate(make: Make) -> None:
    campaign = make(100)
    with pytest.raises(HandOverError, match="no frozen audience"):
        recount(campaign)
    campaign.import_()
    campaign.freeze()
    done = recount(campaign)
    assert (done.missing, done.found, done.disagreements) == (100, 0, ("The run has no certificate.",))


@pytest.mark.services
def test_the_hash_is_that_of_an_audience_of_several_blocks(make: Make) -> None:
    """And an audience is read in pieces: four times the people need no more memory."""

    def peak(people: int) -> int:
        campaign = finish(make(people, chunk_size=5_000))
        recount(campaign)
        tracemalloc.start()
        done = recount(campaign)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (done.found, done.clean, done.disagreements) == (people, True, ())
        return used

    assert peak(24_000) < 1.2 * peak(6_000)


@pytest.mark.services
def test_the_command(make: Make, databases: Databases, tmp_path: Path) -> None:
    campaign = finish(make(100))
    slug, out = (
        campaign.value("SELECT slug FROM campaigns WHERE campaign_id = %s", campaign.campaign_id),
        tmp_path / "a",
    )

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "include.cli", "audit", *arguments],
            cwd=ROOT,
            env={**os.environ, **databases.environment},
            capture_output=True,
            text=True,
        )

    done = command(str(campaign.run.run_id), "--json", str(out))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == render_audit(campaign.again(), recount(campaign))
    written = json.loads(out.read_text("utf-8"))
    assert written == {"run_id": campaign.run.run_id, **json.loads(json.dumps(recount(campaign).document()))}
    plant(campaign, "UPDATE SMSQ_SEND_1 SET dest_no = '01099990000' WHERE app_etc1 = '{run}.0.5'")
    done = command(slug, "--every-row")
    assert (done.returncode, "NOT CLEAN" in done.stdout) == (1, True), done.stderr
    assert "01099990000" not in done.stdout
    for unknown in ("999999999", "nothing-called-so"):
        done = command(unknown)
        assert (done.returncode, done.stdout) == (1, "")
        assert "There is no" in done.stderr


def test_it_is_independent_of_what_it_audits() -> None:
    program = (
        "import sys, include.reporting.audit as audit\n"
        "print(*sorted(n for n in sys.modules if n.startswith(('include.delivery.', 'include.reporting.'))))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["include.reporting.audit"]
    queries = sorted((ROOT / "sql" / "queries" / "audit").glob("*.sql"))
    claims = re.compile(r"\b(?:BONGSU_HANDOVER|messages|chunks|message_events)\b")
    assert len(queries) == 11
    statements = [re.sub("^--.*$", "", path.read_text("utf-8"), flags=re.MULTILINE) for path in queries]
    assert [claims.findall(statement) for statement in statements if claims.search(statement)] == []


@pytest.mark.services
@pytest.mark.parametrize("moment", ["NULL", "'0000-00-00'", "'1900-01-01'", "'2100-01-01'"])
def test_a_row_without_a_possible_time_is_audited_like_any_other(make: Make, moment: str) -> None:
    campaign = finish(make(150))
    with campaign.carrier.cursor() as cursor:
        cursor.execute("SET sql_mode = ''")  # as the carrier's own session may be
    plant(
        campaign,
        f"UPDATE SMSQ_SEND_1 SET repmsg_recvtm = {moment}, mobsend_time = {moment}, "
        "sendreq_time = coalesce({moment}, '0000-00-00') WHERE app_etc1 = '{run}.0.5'".replace("{moment}", moment),
    )
    recounted = recount(campaign)
    assert (recounted.clean, recounted.delivered) == (True, 150)
    assert recounted.agrees_with_certificate
