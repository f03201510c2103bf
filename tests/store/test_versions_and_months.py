"""What a run is made of stays as it was, and a month can be forgotten as a whole."""

from datetime import UTC, datetime

import psycopg

from include.campaigns.apply import apply
from include.campaigns.definition import content_hash
from include.reporting.audit import audit
from include.reporting.books import close
from tests.store.conftest import Make
from tests.support import AD, Databases, finish_rows

WIDE = ("exclusions", "recipients", "messages", "message_events")


def test_a_definition_applied_amid_a_run_changes_nothing_of_the_run(make: Make) -> None:
    campaign = make(5)
    campaign.import_()
    campaign.freeze()
    slug = campaign.value("SELECT slug FROM tenants WHERE tenant_id = %s", campaign.tenant_id)
    message = campaign.spec.message.model_copy(update={"text": AD.replace("{{name|고객}}", "회원")})
    later = campaign.spec.model_copy(update={"tenant": slug, "message": message})
    assert later.message.text != campaign.spec.message.text
    assert apply(campaign.store, later, datetime.now(UTC)).version == 2
    campaign.send_frozen()
    assert all("김철수" in text for text in campaign.line_rows("msg_contents"))
    finish_rows(campaign, 6)
    campaign.collect()
    close(campaign.store, campaign.again())
    found = audit(campaign.store, campaign.line, campaign.ring, campaign.run)
    assert (found.clean, found.agrees_with_certificate) == (True, True)
    certificate = campaign.value("SELECT body FROM certificates WHERE run_id = %s", campaign.run.run_id)
    assert certificate["content_hash"] == content_hash(campaign.run.document).hex()
    assert certificate["content_hash"] != content_hash(later.document()).hex()


def test_a_month_that_is_forgotten_takes_its_people_along(make: Make, databases: Databases) -> None:
    campaign = make(5)
    campaign.send()
    finish_rows(campaign, 6)
    campaign.collect()
    month = f"{campaign.run.run_at:%Ym%m}"
    count = " UNION ALL ".join(f"SELECT count(*) FROM {table} WHERE run_id = {campaign.run.run_id}" for table in WIDE)
    # undone at the end: other tests have runs of the same month
    with psycopg.connect(databases.owner_url) as owner:
        assert [rows for (rows,) in owner.execute(count.encode())][1:] == [5, 5, 5]
        for table in WIDE:
            owner.execute(f"DROP TABLE {table}_y{month}".encode())
        assert [rows for (rows,) in owner.execute(count.encode())] == [0, 0, 0, 0]
        left = "SELECT tablename FROM pg_tables WHERE tablename LIKE %s"
        assert owner.execute(left, [f"%y{month}"]).fetchall() == []
        owner.rollback()
