"""The chunks of a held run wait in the triggerer, and ask the store together."""

import asyncio

import pytest

from operators import hold_trigger
from operators.hold_trigger import HoldTrigger
from tests.store.conftest import Make

pytestmark = pytest.mark.services
CHUNKS = 20


def test_the_chunks_of_a_held_run_share_the_stores_answer(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = make(5)
    asked: list[int] = []
    looked: list[int] = []
    ask, answer = HoldTrigger._hold, HoldTrigger._answer

    def count_asked(self: HoldTrigger) -> object:
        asked.append(self.run_id)
        return ask(self)

    async def count_looked(self: HoldTrigger) -> object:
        looked.append(self.run_id)
        return await answer(self)

    monkeypatch.setattr(HoldTrigger, "_hold", count_asked)
    monkeypatch.setattr(HoldTrigger, "_answer", count_looked)
    monkeypatch.setattr(hold_trigger, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(hold_trigger, "SHARED_SECONDS", float("inf"))
    arguments = campaign.databases.store_url, campaign.tenant_id, campaign.run.run_id

    async def hold() -> None:
        waiting = [asyncio.ensure_future(anext(HoldTrigger(*arguments).run())) for _ in range(CHUNKS)]
        while len(looked) < 3 * CHUNKS:
            await asyncio.sleep(0.01)
        assert len(asked) == 1
        assert not any(one.done() for one in waiting)
        campaign.tamper("DELETE FROM kill_switches WHERE tenant_id = %s", campaign.tenant_id)
        monkeypatch.setattr(hold_trigger, "SHARED_SECONDS", -1.0)
        assert [event.payload for event in await asyncio.gather(*waiting)] == [{"run_id": campaign.run.run_id}] * CHUNKS

    campaign.tamper("INSERT INTO kill_switches (tenant_id, reason) VALUES (%s, 'complaint')", campaign.tenant_id)
    asyncio.run(hold())


def test_a_store_that_is_away_is_asked_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = make(5)
    failed: list[int] = []
    ask = HoldTrigger._hold

    def away_at_first(self: HoldTrigger) -> object:
        if len(failed) < 2:
            failed.append(self.run_id)
            raise ConnectionRefusedError
        return ask(self)

    monkeypatch.setattr(HoldTrigger, "_hold", away_at_first)
    monkeypatch.setattr(hold_trigger, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(hold_trigger, "SHARED_SECONDS", 0.0)
    trigger = HoldTrigger(campaign.databases.store_url, campaign.tenant_id, campaign.run.run_id)

    async def first() -> object:
        return (await anext(trigger.run())).payload

    assert asyncio.run(first()) == {"run_id": campaign.run.run_id}
    assert len(failed) == 2
