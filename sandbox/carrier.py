"""What the carrier's side remembers of a run: counted from the agents' own memory and the log tables, not from ours."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from include.delivery.line_connection import connect_line
from sandbox.outcomes import DELIVERED


@dataclass(frozen=True)
class CarrierBooks:
    """One run, seen from the carrier.

    :ivar sent: messages the agents handed to the relay, repetitions included.
    :ivar people: different numbers among them.
    :ivar twice: messages that came more than once, at the relay or in the logs.
    :ivar open: messages still in the queue tables.
    :ivar to_suppressed: messages to numbers that nobody may write to.
    """

    sent: int
    people: int
    delivered: int
    failed: dict[int, int]
    twice: int
    open: int
    to_suppressed: int


def carrier_books(url: str, run_id: int, suppressed: Sequence[str] = ()) -> CarrierBooks:
    """Count ``run_id`` on the lines of ``url``."""
    ours = f"{int(run_id)}.%"
    with connect_line(url) as conn, conn.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.tables"
            " WHERE table_schema = DATABASE() AND table_name REGEXP '^SMSQ_SEND_[0-9]+(_[0-9]{6})?$'"
        )
        tables = [str(name) for (name,) in cursor.fetchall()]
        cursor.execute(
            "SELECT COUNT(*), COUNT(DISTINCT app_etc1), COUNT(DISTINCT dest_no) FROM SANDBOX_SENT"
            " WHERE app_etc1 LIKE %s",
            (ours,),
        )
        sent, messages, people = cursor.fetchone()
        to_suppressed = 0
        if suppressed:
            cursor.execute(
                "SELECT COUNT(*) FROM SANDBOX_SENT WHERE app_etc1 LIKE %s AND dest_no IN %s", (ours, list(suppressed))
            )
            to_suppressed = cursor.fetchone()[0]
        codes: Counter[int] = Counter()
        waiting = 0
        keys = []
        for table in tables:
            keys.append(f"SELECT app_etc1 FROM {table} WHERE app_etc1 LIKE '{ours}'")
            cursor.execute(
                f"SELECT rsv1 = '5', status_code, COUNT(*) FROM {table} WHERE app_etc1 LIKE %s GROUP BY 1, 2", (ours,)
            )
            for moved, code, count in cursor.fetchall():
                if moved:
                    codes[code] += count
                else:
                    waiting += count
        cursor.execute(f"SELECT COUNT(*) - COUNT(DISTINCT app_etc1) FROM ({' UNION ALL '.join(keys)}) AS found")
        repeated = cursor.fetchone()[0]
    success = set(DELIVERED.values())
    return CarrierBooks(
        sent=sent,
        people=people,
        delivered=sum(count for code, count in codes.items() if code in success),
        failed={code: count for code, count in sorted(codes.items()) if code not in success},
        twice=max(sent - messages, repeated),
        open=waiting,
        to_suppressed=to_suppressed,
    )
