"""Contacts: stored sealed, found by what they are asked for and by nobody else, page by page."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import CheckViolation, InsufficientPrivilege

from include.contacts.search import LARGEST_PAGE, NEWEST, Contact, ContactQuery, search, statement
from include.contacts.storing import NewContact, store_contacts
from include.errors import Refused
from include.privacy.cipher import KeyRing, KeyRingError
from include.store import connect
from tests.support import Databases, find_clear_numbers, make_tenant, numbers

pytestmark = pytest.mark.services

_start = count(5_000_000, 10_000)


@dataclass
class Tenant:
    """A tenant of its own with a connection, and numbers that no other test uses."""

    databases: Databases
    tenant_id: int
    store: psycopg.Connection
    ring: KeyRing

    def keep(self, *contacts: NewContact) -> int:
        return store_contacts(self.store, self.ring, self.tenant_id, contacts, "manual")

    def find(self, **wanted: str) -> list[Contact]:
        return search(self.store, self.ring, ContactQuery(**wanted)).contacts

    def ids(self, **wanted: str) -> list[str | None]:
        return [contact.external_id for contact in self.find(**wanted)]

    def rows(self, statement: str) -> list[Any]:
        found = self.store.execute(statement.encode()).fetchall()
        self.store.commit()
        return found


@pytest.fixture
def tenants(databases: Databases) -> Iterator[list[Tenant]]:
    """A parent, its two children, and a stranger."""
    parent = make_tenant(databases)
    ids = [parent, make_tenant(databases, parent), make_tenant(databases, parent), make_tenant(databases)]
    made = [Tenant(databases, one, connect(databases.store_url, one), databases.ring) for one in ids]
    yield made
    for tenant in made:
        tenant.store.close()


@pytest.fixture
def tenant(tenants: list[Tenant]) -> Tenant:
    """One that is nobody's parent."""
    return tenants[1]


@pytest.fixture
def people() -> list[NewContact]:
    """Four people: the first and the last share their last four digits."""
    first = next(_start)
    one, two, three = numbers(3, first)
    four = f"{one[:5]}99{one[7:]}"
    return [
        NewContact(one, "김민준", "C1", ("단골", "VIP"), "서울 강남구"),
        NewContact(two, "이서연", "C2", ("단골",), "부산 해운대구"),
        NewContact(three, None, "C3", (), "서울 강남구"),
        NewContact(four, "박", "C4", ("VIP",), None),
    ]


def test_each_way_finds_who_it_should(tenant: Tenant, people: list[NewContact]) -> None:
    assert tenant.keep(*people) == 4
    one = people[0].number
    for written in (one, f"{one[:3]}-{one[3:7]}-{one[7:]}", f"+82 10 {one[3:7]} {one[7:]}"):
        assert tenant.ids(number=written) == ["C1"]
    assert tenant.ids(last_four=one[-4:]) == ["C4", "C1"]
    assert tenant.ids(last_four=f" {one[-4:].translate(str.maketrans('0123456789', '０１２３４５６７８９'))}") == [
        "C4",
        "C1",
    ]
    assert tenant.ids(external_id="C2") == ["C2"]
    assert tenant.ids(tag="단골") == ["C2", "C1"]
    assert tenant.ids(region="서울 강남구") == ["C3", "C1"]
    assert tenant.ids(tag="단골", region="서울 강남구") == ["C1"]
    assert tenant.ids(tag="VIP", region="부산 해운대구") == []
    for nobody in ({"number": "01099999999"}, {"external_id": "c1"}, {"tag": "단"}, {"region": "서울"}):
        assert tenant.ids(**nobody) == []


def test_what_is_shown_is_masked_and_what_is_stored_is_sealed(tenant: Tenant, people: list[NewContact]) -> None:
    tenant.keep(*people)
    found = {contact.external_id: contact for contact in tenant.find(tag="VIP") + tenant.find(external_id="C3")}
    assert (found["C1"].number, found["C1"].name) == (f"010-****-{people[0].number[-4:]}", "김*준")
    assert (found["C1"].tags, found["C1"].region) == (["VIP", "단골"], "서울 강남구")
    assert (found["C4"].name, found["C4"].region, found["C3"].name) == ("박*", None, "")
    assert find_clear_numbers(tenant.databases.owner_url, [person.number for person in people]) == []
    assert people[0].number not in repr(people[0]) + repr(ContactQuery(number=people[0].number))
    names = tenant.rows("SELECT name_enc FROM contacts WHERE name_enc IS NOT NULL")
    assert len(names) == 3
    assert not any("김민준".encode() in name for (name,) in names)


def test_the_last_four_digits_have_indexes_of_their_own(tenant: Tenant, people: list[NewContact]) -> None:
    tenant.keep(*people)
    stored = {index for (index,) in tenant.rows("SELECT DISTINCT last4_index FROM contacts")}
    endings = {person.number[-4:] for person in people}
    assert stored == {tenant.ring.blind_index(digits, "last four") for digits in endings}
    assert len(stored) == 3
    assert stored.isdisjoint({tenant.ring.blind_index(digits) for digits in endings})


def test_a_tenant_finds_its_own_and_those_below_it(tenants: list[Tenant], people: list[NewContact]) -> None:
    parent, child, sibling, stranger = tenants
    for tenant in tenants:
        tenant.keep(*people)
    ways: list[dict[str, str]] = [
        {"number": people[0].number},
        {"last_four": people[1].number[-4:]},
        {"external_id": "C1"},
        {"tag": "단골", "region": "서울 강남구"},
        {"tag": "단골", "region": "부산 해운대구"},
    ]
    for wanted in ways:
        for tenant in (child, sibling, stranger):
            assert [contact.tenant_id for contact in tenant.find(**wanted)] == [tenant.tenant_id], wanted
        seen = [contact.tenant_id for contact in parent.find(**wanted)]
        assert seen == [sibling.tenant_id, child.tenant_id, parent.tenant_id], wanted
    with connect(child.databases.store_url) as nobody:
        assert search(nobody, child.ring, ContactQuery(external_id="C1")).contacts == []


def test_a_value_moved_to_another_tenant_does_not_open(tenants: list[Tenant], people: list[NewContact]) -> None:
    _, child, sibling, _ = tenants
    child.keep(people[0])
    sibling.keep(people[0])
    ((stolen,),) = child.rows("SELECT phone_enc FROM contacts")
    sibling.store.execute("UPDATE contacts SET phone_enc = %s", [stolen])
    sibling.store.commit()
    with pytest.raises(KeyRingError):
        sibling.find(external_id="C1")


@pytest.mark.parametrize(
    "wanted", [{"tag": "단골"}, {"region": "서울"}, {"tag": "단골", "region": "서울"}, {"last_four": "0007"}]
)
def test_pages_have_no_gaps_and_no_repeats(tenants: list[Tenant], wanted: dict[str, str]) -> None:
    parent, child, _, stranger = tenants
    first = next(_start)
    for tenant in (parent, child, stranger):
        tenant.keep(
            *(
                NewContact(f"010{first // 10_000 + n:04d}0007", external_id=f"{n}", tags=("단골",), region="서울")
                for n in range(25)
            )
        )
    seen: list[int] = []
    before: int | None = NEWEST
    while before is not None:
        page = search(parent.store, parent.ring, ContactQuery(**wanted), before=before, limit=7)
        assert len(page.contacts) == (7 if page.following is not None else 50 % 7)
        seen += [contact.contact_id for contact in page.contacts]
        before = page.following
        # what is stored while somebody turns the pages does not move them
        parent.keep(NewContact(f"010{3000 + len(seen):04d}0007", tags=("단골",), region="서울"))
    expected = parent.rows("SELECT contact_id FROM contacts WHERE external_id IS NOT NULL ORDER BY contact_id DESC")
    assert seen == [contact_id for (contact_id,) in expected]
    assert len(seen) == 50


def test_the_last_page_may_be_full(tenant: Tenant, people: list[NewContact]) -> None:
    tenant.keep(*people)
    question = ContactQuery(region="서울 강남구")
    assert search(tenant.store, tenant.ring, question, limit=2).following is None
    page = search(tenant.store, tenant.ring, question, limit=1)
    assert page.following == page.contacts[0].contact_id
    assert search(tenant.store, tenant.ring, question, before=page.following, limit=1).following is None


def test_an_erased_person_is_not_found(tenant: Tenant, people: list[NewContact]) -> None:
    tenant.keep(*people)
    with pytest.raises(CheckViolation):
        tenant.store.execute("UPDATE contacts SET erased_at = now(), phone_index = NULL WHERE external_id = 'C1'")
    tenant.store.rollback()
    tenant.store.execute(
        "UPDATE contacts SET erased_at = now(), phone_index = NULL, last4_index = NULL, phone_enc = NULL, "
        "name_enc = NULL, external_id = NULL, tags = '{}', region = NULL WHERE external_id = 'C1'"
    )
    tenant.store.commit()
    assert tenant.ids(number=people[0].number) == tenant.ids(external_id="C1") == []
    assert tenant.ids(last_four=people[0].number[-4:]) == ["C4"]
    assert (tenant.ids(tag="단골"), tenant.ids(tag="VIP"), tenant.ids(region="서울 강남구")) == (["C2"], ["C4"], ["C3"])
    assert tenant.rows("SELECT count(*) FROM contacts") == [(4,)]
    tenant.keep(people[0])
    assert tenant.ids(number=people[0].number) == ["C1"]


def test_a_known_number_is_replaced_as_a_whole(tenant: Tenant, people: list[NewContact]) -> None:
    tenant.keep(*people)
    again = NewContact(people[0].number, "최지우", "C9", ("신규", "신규 "), "제주 제주시")
    assert tenant.keep(replace(again, name="earlier", external_id="C8"), again) == 1
    (contact,) = tenant.find(number=people[0].number)
    assert (contact.name, contact.external_id, contact.tags) == ("최*우", "C9", ["신규"])
    assert tenant.ids(tag="신규", region="제주 제주시") == ["C9"]
    assert (
        tenant.ids(tag="단골", region="서울 강남구")
        == tenant.ids(external_id="C1")
        == tenant.ids(external_id="C8")
        == []
    )
    assert tenant.rows("SELECT count(*) FROM contacts") == [(4,)]


def test_tags_for_searching_follow_the_contacts(tenant: Tenant, people: list[NewContact]) -> None:
    told = "SELECT DISTINCT contact_id, unnest(tags), region FROM contacts ORDER BY 1, 2"
    kept = "SELECT contact_id, tag, region FROM contact_tags ORDER BY 1, 2"
    tenant.keep(*people)
    for change in (
        "UPDATE contacts SET tags = tags || '{단골,새}'",
        "UPDATE contacts SET region = NULL WHERE external_id = 'C1'",
        "UPDATE contacts SET tags = array_remove(tags, 'VIP'), region = '대구'",
        "UPDATE contacts SET updated_at = now()",
        "DELETE FROM contacts WHERE external_id = 'C2'",
    ):
        assert tenant.store.execute(change.encode()).rowcount
        tenant.store.commit()
        expected = tenant.rows(told)
        assert expected
        assert tenant.rows(kept) == expected, change
    with pytest.raises(InsufficientPrivilege):
        tenant.store.execute("DELETE FROM contact_tags")
    tenant.store.rollback()


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({}, r"^number: nothing is looked for\. Give"),
        ({"number": "02-123-4567"}, r"^number: The number is a landline.*Use a mobile number"),
        ({"number": ""}, r"^number: The phone number is empty"),
        ({"last_four": "123"}, r"^last_four: .*four digits"),
        ({"last_four": "12a4"}, r"^last_four: .*four digits"),
        ({"last_four": "01012345678"}, r"^last_four: [^0-9]*four digits"),
        ({"external_id": " "}, r"^external_id: it is empty"),
        ({"tag": "x" * 201}, r"^tag: it has 201 characters\. Keep it within 200"),
        ({"region": "서울\x00"}, r"^region: it holds a control character"),
        ({"number": "01012345678", "tag": "단골"}, r"^number, tag: only tag and region go together"),
        ({"last_four": "5678", "external_id": "C1"}, r"^last_four, external_id: only tag and region"),
    ],
)
def test_a_question_that_cannot_be_answered_says_why(tenant: Tenant, wanted: dict[str, str], says: str) -> None:
    with pytest.raises(Refused, match=says):
        tenant.find(**wanted)


def test_a_page_has_bounds(tenant: Tenant) -> None:
    for limit in (0, -1, LARGEST_PAGE + 1):
        with pytest.raises(Refused, match=r"^limit: a page has 1 to 200"):
            search(tenant.store, tenant.ring, ContactQuery(tag="단골"), limit=limit)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (NewContact("010-12"), r"^Contact 3: number: .*too few digits"),
        (NewContact("01055550001", tags=("",)), r"^Contact 3: tags: it is empty"),
        (NewContact("01055550001", region="\x1f"), r"^Contact 3: region: it is empty"),
        (NewContact("01055550001", external_id="C1"), r"^Contact 3: external_id: it stands for another number"),
        (NewContact("01055550001", external_id="010-5555 0001"), r"^Contact 3: external_id: it is a phone number"),
    ],
)
def test_all_or_none_is_stored(tenant: Tenant, people: list[NewContact], wrong: NewContact, says: str) -> None:
    with pytest.raises(Refused, match=says):
        tenant.keep(*people[:2], wrong)
    assert tenant.rows("SELECT count(*) FROM contacts") == [(0,)]


def test_an_external_id_does_not_move_to_another_number(tenant: Tenant, people: list[NewContact]) -> None:
    tenant.keep(*people)
    with pytest.raises(Refused, match=r"^Contact 1: external_id: it stands for another number"):
        tenant.keep(replace(people[1], external_id="C1"))
    assert tenant.ids(external_id="C1") == ["C1"]


WAYS = [
    ({"number": "01012340007"}, {"tenant_id", "phone_index"}),
    ({"last_four": "0007"}, {"tenant_id", "last4_index", "contact_id"}),
    ({"external_id": "C7"}, {"tenant_id", "external_id"}),
    ({"tag": "단골"}, {"tenant_id", "tag", "contact_id"}),
    ({"region": "서울"}, {"tenant_id", "region", "contact_id"}),
    ({"tag": "단골", "region": "서울"}, {"tenant_id", "tag", "region", "contact_id"}),
]


@pytest.mark.parametrize(("wanted", "columns"), WAYS, ids=[" and ".join(wanted) for wanted, _ in WAYS])
def test_a_search_is_answered_by_an_index(tenant: Tenant, wanted: dict[str, str], columns: set[str]) -> None:
    """Row-level security keeps operators that may leak from an index; one of those would walk through the tenant."""
    tenant.keep(
        *(
            NewContact(f"0102000{n:04d}", None, f"C{n}", (f"단골{n % 5 or ''}",), f"서울{n % 8 or ''}")
            for n in range(3_000)
        )
    )
    with tenant.databases.owner() as owner:
        owner.execute("ANALYZE contacts, contact_tags")
    found_by, values = statement(tenant.ring, ContactQuery(**wanted))
    explain = sql.SQL("EXPLAIN (FORMAT JSON) ") + found_by
    row = tenant.store.execute(explain, {**values, "before": NEWEST, "rows": 51}).fetchone()
    assert row is not None
    (scan,) = (node for node in nodes(row[0][0]["Plan"]) if node.get("Alias") == "m")
    assert set(re.findall(r"\w+(?= [=<] )", scan["Index Cond"])) == columns
    assert not [node for node in nodes(row[0][0]["Plan"]) if node["Node Type"] == "Seq Scan" and node["Alias"] != "t"]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A plan's node and all below it."""
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)
