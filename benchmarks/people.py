"""People to search among: names, numbers, tags and regions as uneven as real ones. All are made up; equal seeds make
equal people.
"""

import random
from collections.abc import Iterator

from benchmarks.measure import SEED
from include.contacts.storing import NewContact
from sandbox.customers import REGIONS, SURNAMES, SYLLABLES

SMALL_REGIONS = tuple(f"전남 {number}읍" for number in range(1, 201))
"""Share a twenty-fifth of the people; each of ``REGIONS`` has an eighth of the others."""
NEAR = (REGIONS[0], REGIONS[2], REGIONS[3])
FAR = REGIONS[1]
COMMON, LOCAL = "단골", "동네 매장"
"""Tags that a fifth of the people have each: the first everywhere, the second half of those in ``NEAR`` and one in
2,000 of the others."""
RARE = tuple(f"체험단 {number}" for number in range(1, 101))
"""Tags that one in a thousand has."""

_LOW, _SPAN, _STEP = 20_000_000, 80_000_000, 48_611_171  # a step prime to the span comes to every number once


def number_of(place: int) -> str:
    """The mobile number of the person at ``place``; no two places have the same."""
    return f"010{_LOW + place * _STEP % _SPAN}"


def external_id_of(place: int) -> str:
    """The external id of the person at ``place``."""
    return f"C{place:07d}"


def people(first: int, last: int, seed: int = SEED) -> Iterator[NewContact]:
    """The people at places ``first`` up to before ``last``."""
    rng = random.Random(f"{seed} {first}")
    chance, choice = rng.random, rng.choice
    for place in range(first, last):
        region = choice(REGIONS) if chance() < 0.96 else choice(SMALL_REGIONS)
        tags = [COMMON] if chance() < 0.2 else []
        if chance() < (0.55 if region in NEAR else 0.0005):
            tags.append(LOCAL)
        if chance() < 0.1:
            tags.append(choice(RARE))
        name = choice(SURNAMES) + choice(SYLLABLES) + choice(SYLLABLES)
        yield NewContact(number_of(place), name, external_id_of(place), tuple(tags), region)
