"""Fault schedules on real servers: nothing is sent twice, nobody is missing; and without any one of the safeguards the
same schedules say so."""

from collections.abc import Iterator

import pytest

from tests.faults.plan import plan_of
from tests.faults.safeguards import REMOVALS
from tests.faults.schedules import Crew, Tally, explain, main

pytestmark = [pytest.mark.services, pytest.mark.slow]
SEED = 20_260_701
SCHEDULES, ENOUGH = 50, 200


@pytest.fixture(scope="module")
def crew() -> Iterator[Crew]:
    with Crew() as workers:
        yield workers


def test_fifty_schedules_end_well(crew: Crew) -> None:
    tally = Tally()
    for result in crew.run(range(SEED, SEED + SCHEDULES)):
        tally.add(result)
    assert not tally.wrong, "\n".join(map(explain, tally.wrong))
    assert str(tally) == "50 schedules, 0 twice, 0 missing, 0 open books, 0 sent after a refusal"
    assert sum(number for name, number in tally.hits.items() if name.startswith("crash ")) >= 10
    assert tally.hits["failed tries"] >= 30
    for name in ("refused", "halt", "cancel"):
        assert tally.hits[name], name


@pytest.mark.parametrize("safeguard", REMOVALS)
def test_without_one_safeguard_it_is_found(crew: Crew, safeguard: str) -> None:
    tally = Tally()
    for result in crew.run(range(SEED, SEED + ENOUGH), without=safeguard):
        if tally.add(result):
            break
    assert tally.wrong, f"{ENOUGH} schedules without the {safeguard} found nothing"
    assert tally.twice or tally.missing or tally.open_books or tally.after_refusal


def test_a_seed_always_means_the_same() -> None:
    assert plan_of(7) == plan_of(7)
    assert plan_of(7) != plan_of(8)
    assert all(1 <= len(plan_of(seed).faults) <= 5 for seed in range(200))


def test_the_command_ends_with_the_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["2", str(SEED)]) == 0
    assert (
        capsys.readouterr().out.splitlines()[-1]
        == "2 schedules, 0 twice, 0 missing, 0 open books, 0 sent after a refusal"
    )
