"""Whom the auditor excuses: nobody who refused before the hand-over or was erased is missed. A message to somebody who
had refused is a fault.
"""

from datetime import timedelta

import pytest

from include.campaigns import runs
from include.delivery.receipts import expire
from include.reporting.books import close
from tests.store.audit_support import finish, plant, recount, refuse
from tests.store.conftest import Make
from tests.support import AD, finish_rows, numbers


@pytest.mark.services
def test_who_refused_before_the_hand_over_is_excused_only_when_absent(make: Make) -> None:
    campaign = make(250)
    people = numbers(250)
    campaign.import_()
    campaign.freeze()
    refuse(campaign, people[1], timedelta())  # within chunk 1
    refuse(campaign, people[249], timedelta(), "suppressed")  # the last of all
    campaign.send_frozen()
    finish_rows(campaign, 6)
    campaign.collect()
    close(campaign.store, campaign.run)
    runs.set_state(campaign.store, campaign.run.run_id, "finished")
    done = recount(campaign)
    assert (done.withdrawn, done.expected, done.found) == (2, 248, 248)
    assert done.clean
    assert done.agrees_with_certificate
    # one was handed over although they had refused a minute before; one refused an hour after
    refuse(campaign, people[5], -timedelta(minutes=1))
    refuse(campaign, people[6], timedelta(hours=1))
    done = recount(campaign)
    assert (done.after_opt_out, done.missing, done.withdrawn, done.clean) == (1, 0, 2, False)
    # a refusal that came later is no excuse for a message that is not there
    plant(campaign, "DELETE FROM SMSQ_SEND_1 WHERE app_etc1 = '{run}.0.7'")
    assert recount(campaign).missing == 1


@pytest.mark.services
def test_a_withdrawn_consent_counts_for_advertising_only(make: Make) -> None:
    for purpose, text, late in (("advertising", AD, 1), ("informational", "{{name}}님, 안내드립니다.", 0)):
        campaign = finish(make(100, purpose=purpose, text=text))
        campaign.store.execute(
            "INSERT INTO consents (tenant_id, phone_index, channel, purpose, granted, evidence, source, recorded_at) "
            "VALUES (%s, %s, 'sms', 'advertising', false, 'x', 'x', now() - interval '1 minute')",
            [campaign.tenant_id, campaign.ring.blind_index(numbers(1)[0])],
        )
        campaign.store.commit()
        assert recount(campaign).after_opt_out == late


@pytest.mark.services
def test_a_chunk_of_which_nobody_is_left(make: Make) -> None:
    campaign = make(200)
    campaign.import_()
    campaign.freeze()
    for number in numbers(100, start=100):
        refuse(campaign, number, timedelta())
    campaign.send_frozen()
    finish_rows(campaign, 6)
    campaign.collect()
    expire(campaign.store, campaign.run)
    close(campaign.store, campaign.run)
    done = recount(campaign)
    assert (done.withdrawn, done.found, done.clean, done.disagreements) == (100, 100, True, ())


@pytest.mark.services
def test_a_person_who_was_erased_is_excused(make: Make) -> None:
    campaign = finish(make(100))
    campaign.tamper(
        "UPDATE recipients SET payload_enc = NULL, phone_index = NULL WHERE run_id = %s AND recipient_no IN (3, 4)",
        campaign.run.run_id,
    )
    assert recount(campaign).clean
    assert recount(campaign).agrees_with_certificate
    plant(campaign, "DELETE FROM SMSQ_SEND_1 WHERE app_etc1 = '{run}.0.3'")
    done = recount(campaign)
    assert (done.missing, done.withdrawn, done.found) == (0, 1, 99)
