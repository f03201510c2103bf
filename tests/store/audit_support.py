"""What the tests of the auditor share: a run brought to its end, what is changed behind its back, and the recount."""

from collections.abc import Sequence
from datetime import timedelta

from include.campaigns import runs
from include.delivery.receipts import expire
from include.reporting.audit import Audit, audit
from include.reporting.books import close
from tests.support import Campaign, finish_rows

COLUMNS = (
    "dest_no, call_back, subject, msg_contents, msg_type, sendreq_time, status_code, rsv1, app_etc1, app_etc2, "
    "mobsend_time, repmsg_recvtm"
)


def recount(campaign: Campaign, **options: bool) -> Audit:
    return audit(campaign.store, campaign.line, campaign.ring, campaign.again(), **options)


def finish(campaign: Campaign, code: int = 6, lines: Sequence[int] = (1, 2, 3)) -> Campaign:
    """Everything sent, answered and certified."""
    campaign.send()
    finish_rows(campaign, code, lines=lines)
    campaign.collect()
    expire(campaign.store, campaign.run)
    close(campaign.store, campaign.run)
    runs.set_state(campaign.store, campaign.run.run_id, "finished")
    return campaign


def plant(campaign: Campaign, *statements: str) -> None:
    """Change the line's tables as nobody should; ``{run}`` is the run, ``{columns}`` all columns but ``seqno``."""
    with campaign.carrier.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement.format(run=campaign.run.run_id, columns=COLUMNS))
            assert cursor.rowcount > 0 or statement.startswith("CREATE"), statement
    campaign.carrier.commit()


def refuse(campaign: Campaign, number: str, recorded: timedelta, reason: str = "opted_out") -> None:
    campaign.store.execute(
        "INSERT INTO suppressions (tenant_id, phone_index, reason, source, recorded_at) "
        "VALUES (%s, %s, %s, 'x', now() + %s)",
        [campaign.tenant_id, campaign.ring.blind_index(number), reason, recorded],
    )
    campaign.store.commit()
