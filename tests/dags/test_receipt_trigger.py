"""A waiting trigger looks soon, then less often; when the line has nothing more to say, only now and then."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from operators.receipt_trigger import ReceiptTrigger


@pytest.mark.parametrize(
    ("waiting", "pauses"), [(10, [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]), (0, [5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0])]
)
def test_pauses_grow_while_rows_wait(waiting: int, pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def look(*_: object) -> int:
        return 0 if len(slept) == len(pauses) else waiting + 1

    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(asyncio, "to_thread", look)
    closes = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    trigger = ReceiptTrigger("mysql://line", 1, ["SMSQ_SEND_1"], waiting, 5.0, closes)

    async def first_event() -> None:
        async for _ in trigger.run():
            return

    asyncio.run(first_event())
    assert slept == pauses
