"""A chunk reaches its line once, whole and unchanged, whatever is repeated, raced or forbidden."""

import threading
import time
from pathlib import Path

import MySQLdb
import psycopg
import pytest

from include.campaigns import runs
from include.delivery import named_lock
from include.delivery.chunks import load_chunk, plan_chunks
from include.delivery.dispatch import Dispatched, dispatch_chunk
from include.delivery.line import Line
from include.delivery.line_connection import connect_for_hand_over, connect_line
from include.errors import HandOverError, Unavailable
from include.store import connect
from tests.store.conftest import Make
from tests.support import Campaign, numbers, write_csv

pytestmark = pytest.mark.services

ROW = "dest_no, call_back, subject, msg_contents, msg_type, status_code, rsv1, app_etc1, app_etc2"
UGLY = "a\\tb\\n\"c\" 'd' \\N 100%_ 값\\"
"""Everything that has a meaning to LOAD DATA, to SQL or to a format string."""


def ready(campaign: Campaign) -> Campaign:
    campaign.import_()
    campaign.freeze()
    plan_chunks(campaign.store, campaign.run)
    return campaign


def forbid_load_data(campaign: Campaign) -> None:
    """The line's connection as to a server that is not known to be the right one."""
    campaign.line.close()
    campaign.line = connect_line(campaign.databases.line_url)


def opt_out(campaign: Campaign, number: str) -> None:
    """Somebody has dialled the 080 number."""
    campaign.store.execute(
        "INSERT INTO suppressions (tenant_id, phone_index, reason, source) VALUES (%s, %s, 'opted_out', '080')",
        [campaign.tenant_id, campaign.ring.blind_index(number)],
    )
    campaign.store.commit()


def test_a_chunk_tried_twice_is_handed_over_once(make: Make) -> None:
    campaign = ready(make(250))
    first = [campaign.dispatch(number) for number in (1, 2, 3)]
    again = [campaign.dispatch(number) for number in (1, 2, 3)]
    assert first == [Dispatched(size, 0, already=False) for size in (100, 100, 50)]
    assert again == [Dispatched(size, 0, already=True) for size in (100, 100, 50)]
    assert sorted(campaign.line_rows()) == numbers(250)


def test_a_try_that_died_after_the_line_took_it_is_finished_by_the_next(make: Make) -> None:
    campaign = ready(make(100))
    campaign.dispatch(1)
    campaign.forget_acceptance()
    assert campaign.dispatch(1) == Dispatched(100, 0, already=True)
    assert len(campaign.line_rows()) == 100


def test_a_line_that_took_something_else_than_was_claimed_needs_a_person(make: Make) -> None:
    campaign = ready(make(100))
    campaign.dispatch(1)
    campaign.tamper("UPDATE chunks SET state = 'planned' WHERE run_id = %s", campaign.run.run_id)
    campaign.tamper("DELETE FROM messages WHERE run_id = %s AND recipient_no = 1", campaign.run.run_id)
    with pytest.raises(HandOverError, match="the line took 100 messages, 99 are claimed"):
        campaign.dispatch(1)
    assert load_chunk(campaign.store, campaign.run, 1).state == "planned"
    assert len(campaign.line_rows()) == 100


def test_two_dispatchers_of_one_chunk_at_once(make: Make) -> None:
    campaign = ready(make(2_000, chunk_size=2_000))
    start, done, problems = threading.Barrier(3), [], []

    def dispatch() -> None:
        try:
            with connect(campaign.databases.store_url, campaign.tenant_id) as store:
                line = connect_for_hand_over(campaign.databases.line_url)
                run = runs.load(store, campaign.run.run_id)
                start.wait(120)
                done.append(dispatch_chunk(store, line, run, campaign.ring, 1))
                line.close()
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=dispatch) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert problems == []
    assert sorted(one.already for one in done) == [False, True, True]
    assert {one.accepted for one in done} == {2_000}
    assert sorted(campaign.line_rows()) == numbers(2_000)


def test_who_refuses_after_the_freeze_is_withdrawn(make: Make) -> None:
    campaign = ready(make(200))
    opt_out(campaign, numbers(2)[1])
    campaign.store.execute(
        "INSERT INTO consents (tenant_id, phone_index, channel, purpose, granted, evidence, source) "
        "VALUES (%s, %s, 'sms', 'advertising', false, 'call', '080')",
        [campaign.tenant_id, campaign.ring.blind_index(numbers(150)[149])],
    )
    campaign.store.commit()
    assert [campaign.dispatch(number) for number in (1, 2)] == [Dispatched(99, 1, False)] * 2
    assert set(numbers(200)) - set(campaign.line_rows()) == {numbers(2)[1], numbers(150)[149]}
    events = campaign.store.execute(
        "SELECT recipient_no, event FROM message_events WHERE run_id = %s ORDER BY 1", [campaign.run.run_id]
    ).fetchall()
    assert events == [(2, "withdrawn"), (150, "withdrawn")]


def test_who_was_withdrawn_by_a_try_that_died_stays_withdrawn(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_off(self: Line, *arguments: object) -> None:
        raise Unavailable("the line is gone")

    campaign = ready(make(100))
    opt_out(campaign, numbers(2)[1])
    with monkeypatch.context() as patched:
        patched.setattr(Line, "hand_over", cut_off)
        for _ in range(2):
            with pytest.raises(Unavailable):
                campaign.dispatch(1)
    opt_out(campaign, numbers(50)[49])
    assert campaign.dispatch(1) == Dispatched(98, 2, already=False)
    assert set(numbers(100)) - set(campaign.line_rows()) == {numbers(2)[1], numbers(50)[49]}


@pytest.mark.parametrize("forbidden", [False, True])
def test_texts_arrive_byte_for_byte(make: Make, forbidden: bool) -> None:
    text = "[ACME] {{name}}\n" + UGLY + "\n끝\\"
    campaign = ready(make([("01012345678", "김"), ("01012345679", "NULL")], text=text, purpose="informational"))
    if forbidden:
        forbid_load_data(campaign)
    campaign.dispatch(1)
    assert campaign.line_rows("msg_contents") == [text.replace("{{name}}", name) for name in ("김", "NULL")]


@pytest.mark.parametrize("forbidden", [False, True])
def test_a_text_that_is_nothing_but_a_word_of_the_file_format_arrives(make: Make, forbidden: bool) -> None:
    words = ["NULL", "\\N", "\\", "''"]
    campaign = ready(make(list(zip(numbers(4), words, strict=True)), text="{{name}}", purpose="informational"))
    if forbidden:
        forbid_load_data(campaign)
    campaign.dispatch(1)
    assert campaign.line_rows("msg_contents") == words


def test_a_claim_that_meets_another_is_tried_again(make: Make) -> None:
    campaign = ready(make(100))
    run = campaign.run
    with campaign.databases.platform() as other:
        # a try whose lock went with its connection to the line, in the middle of its claim
        other.execute(
            "INSERT INTO messages (tenant_id, recipient_no, run_id, chunk_no, hop, month, kind) "
            "SELECT tenant_id, recipient_no, run_id, 1, 0, month, kind FROM recipients WHERE run_id = %s",
            [run.run_id],
        )

        def commit_when_met() -> None:
            with psycopg.connect(campaign.databases.admin_url, autocommit=True) as admin:
                waits = (
                    "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND %s = ANY (pg_blocking_pids(pid))"
                )
                while admin.execute(waits, [other.info.backend_pid]).fetchone() is None:
                    time.sleep(0.02)
            other.commit()

        meeting = threading.Thread(target=commit_when_met, daemon=True)
        meeting.start()
        with pytest.raises(Unavailable, match="being claimed by another try"):
            campaign.dispatch(1)
        meeting.join()
    assert campaign.dispatch(1) == Dispatched(100, 0, already=False)
    assert sorted(campaign.line_rows()) == numbers(100)


def test_long_messages_carry_their_subject_and_short_ones_none(make: Make) -> None:
    rows = [("01012345678", "짧은"), ("01012345679", "긴" * 60)]
    campaign = ready(make(rows, message={"allow_lms": True, "subject": "봄\\맞이 '할인'"}))
    campaign.dispatch(1)
    assert campaign.line_rows("msg_type, subject") == [("S", None), ("L", "봄\\맞이 '할인'")]


def test_short_and_long_messages_keep_the_order_of_their_recipients(make: Make) -> None:
    names = ["짧은", "긴" * 60, "긴" * 59, "짧다", "긴" * 58]
    campaign = ready(make(list(zip(numbers(5), names, strict=True)), message={"allow_lms": True, "subject": "봄"}))
    campaign.dispatch(1)
    found = campaign.line_rows("dest_no, msg_type, msg_contents")
    assert [(number, kind) for number, kind, _ in found] == list(zip(numbers(5), "SLLSL", strict=True))
    assert all(name in text for name, (_, _, text) in zip(names, found, strict=True))


def test_both_ways_of_writing_make_the_same_rows(make: Make) -> None:
    rows = [(number, name) for number, name in zip(numbers(2_500), ["김\\철수", "이'영희", "%s"] * 834, strict=False)]
    found = []
    for forbidden in (False, True):
        campaign = ready(make(rows, chunk_size=2_500, message={"allow_lms": True, "subject": "봄"}))
        if forbidden:
            forbid_load_data(campaign)
        campaign.dispatch(1)
        found.append([(*row[:7], row[7].split(".", 1)[1]) for row in campaign.line_rows(ROW)])
    assert len(found[0]) == 2_500
    assert found[0] == found[1]


def test_a_server_that_forbids_load_data_gets_inserts(make: Make) -> None:
    campaign = ready(make(100))
    socket = (campaign.databases.home / "sockets" / "mariadb.sock").resolve()
    with MySQLdb.connect(unix_socket=server_socket(campaign, socket), user="root") as server:
        server.cursor().execute("SET GLOBAL local_infile = 0")
        try:
            assert campaign.dispatch(1).accepted == 100
        finally:
            server.cursor().execute("SET GLOBAL local_infile = 1")
    assert sorted(campaign.line_rows()) == numbers(100)


def server_socket(campaign: Campaign, fallback: Path) -> str:
    with campaign.line.cursor() as cursor:
        cursor.execute("SELECT @@socket")
        row = cursor.fetchone()
    campaign.line.rollback()
    return str(row[0]) if row else str(fallback)


def test_the_request_time_is_the_clock_of_the_line(make: Make) -> None:
    campaign = ready(make(100))
    campaign.line.cursor().execute("SET @@session.timestamp = UNIX_TIMESTAMP() - 86400")
    campaign.dispatch(1)
    campaign.line.cursor().execute("SET @@session.timestamp = DEFAULT")
    ages = campaign.line_rows("TIMESTAMPDIFF(SECOND, sendreq_time, NOW()), 0")
    assert all(86_390 < age < 86_460 for age, _ in ages), "the rows' time follows the server's NOW(), not ours"


def test_a_row_is_new_to_the_agent(make: Make) -> None:
    campaign = ready(make(100))
    campaign.dispatch(1)
    run = campaign.run.run_id
    assert campaign.line_rows(ROW)[41] == (
        numbers(42)[41],
        "0212345678",
        None,
        "(광고) [ACME] 김철수님, 20% 할인 무료수신거부 080-123-4567",
        "S",
        100,
        "1",
        f"{run}.0.42",
        f"{run}.0.1",
    )


def test_chunks_go_round_the_lines_of_the_group(make: Make) -> None:
    campaign = make(750)
    campaign.send()
    dealt = campaign.store.execute(
        "SELECT line_no, first_no, last_no FROM chunks WHERE run_id = %s ORDER BY chunk_no", [campaign.run.run_id]
    ).fetchall()
    assert [line for line, _, _ in dealt] == [1, 2, 3, 1, 2, 3, 1, 2]
    assert [(first, last) for _, first, last in dealt] == [
        (first, min(first + 99, 750)) for first in range(1, 751, 100)
    ]
    assert [len(campaign.line_rows(lines=[line])) for line in (1, 2, 3)] == [300, 250, 200]


def test_a_test_send_goes_to_the_test_people_over_the_test_line(make: Make, tmp_path: Path) -> None:
    own = write_csv(tmp_path / "own.csv", ["phone", "name"], [(number, "김철수") for number in numbers(3, 900_000)])
    campaign = make(250, test_send=True, audience={"test_file": str(own)})
    campaign.send()
    assert sorted(campaign.line_rows(lines=[10])) == sorted(campaign.line_rows()) == numbers(3, 900_000)


def test_an_authentication_goes_to_its_own_line(make: Make) -> None:
    campaign = make(120, purpose="authentication", text="[ACME] 인증번호 1234")
    campaign.send()
    assert len(campaign.line_rows(lines=[11])) == len(campaign.line_rows()) == 120


def test_planning_twice_and_without_a_freeze(make: Make) -> None:
    campaign = make(150)
    campaign.import_()
    with pytest.raises(HandOverError, match="no frozen audience"):
        plan_chunks(campaign.store, campaign.run)
    campaign.freeze()
    assert plan_chunks(campaign.store, campaign.run) == plan_chunks(campaign.store, campaign.run) == [1, 2]
    with pytest.raises(HandOverError, match="no chunk 3"):
        campaign.dispatch(3)


def test_an_interrupted_hand_over_takes_its_rows_back_before_it_gives_up_the_lock(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = ready(make(100))
    seen: list[int] = []

    def interrupted(self: Line, *arguments: object) -> None:
        write(self, *arguments)  # type: ignore[arg-type]  # passed on as they came
        raise KeyboardInterrupt

    def released(connection: MySQLdb.Connection, name: str) -> None:
        with connect_line(campaign.databases.line_url) as other, other.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED")
            cursor.execute("SELECT count(*) FROM SMSQ_SEND_1 WHERE app_etc2 = %s", (f"{campaign.run.run_id}.0.1",))
            seen.append(cursor.fetchone()[0])
        release(connection, name)

    write, release = Line._write, named_lock._release
    with monkeypatch.context() as patched:
        patched.setattr(Line, "_write", interrupted)
        patched.setattr(named_lock, "_release", released)
        with pytest.raises(KeyboardInterrupt):
            campaign.dispatch(1)
    assert seen == [0, 0]
    assert campaign.dispatch(1) == Dispatched(100, 0, already=False)
    assert sorted(campaign.line_rows()) == numbers(100)
