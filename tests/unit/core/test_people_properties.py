"""What holds of people whatever calls come, in whatever order and in runs of whatever length."""

from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.core.calls import Call, CallType
from npsbridge.core.people import ERASED, IdKind, PersonId, number_of
from unit.core.people import Memory, alias, identify, track

USERS = ("u1", "u2", "u3")
users = st.sampled_from(USERS)
devices = st.none() | st.sampled_from(("a1", "a2"))
mailboxes = st.sampled_from(("x@example.com", "y@example.com"))
traits: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {}, optional={"p": st.none() | st.integers(0, 2), "q": st.integers(0, 1), "email": st.none() | mailboxes}
)
identifies = st.builds(lambda user, device, said: identify(user, device, **said), st.none() | users, devices, traits)
tracks = st.builds(lambda user, device, said: track(user, device, **said), st.none() | users, devices, traits)
aliases = st.builds(alias, st.sampled_from((*USERS, "a1", "new")), users, devices)
without_alias = st.lists(identifies | tracks, max_size=12)
journals = st.lists(identifies | tracks | aliases, max_size=12)


def remembered(calls: Sequence[Call], suppressed: dict[PersonId, str] | None = None) -> Memory:
    memory = Memory(suppressed)
    for call in calls:
        memory.tell(call)
    return memory


def user(value: str) -> PersonId:
    return PersonId(IdKind.USER, value)


@given(journals, identifies | tracks | aliases)
def test_the_same_call_again_changes_nothing(before: list[Call], call: Call) -> None:
    memory = remembered([*before, call])
    persons, owners = dict(memory.persons), dict(memory.owners)
    memory.tell(call)
    assert (memory.persons, memory.owners) == (persons, owners)


@given(journals, st.data())
def test_the_same_journal_gives_the_same_people_in_runs_of_any_length(journal: list[Call], data: st.DataObject) -> None:
    memory, rest = Memory(), journal
    while rest:
        length = data.draw(st.integers(1, len(rest)))
        memory.absorb(*rest[:length])
        rest = rest[length:]
    one_by_one = remembered(journal)
    assert (memory.persons, memory.owners) == (one_by_one.persons, one_by_one.owners)


@given(journals)
def test_every_id_names_one_living_person_and_every_user_id_of_a_person_names_them(journal: list[Call]) -> None:
    memory = remembered(journal)
    assert set(memory.owners.values()) == set(memory.persons)
    for person in memory.persons.values():
        assert all(memory.find(user(one)) == person for one in person.user_ids)
        assert all(memory.find(PersonId(IdKind.ANONYMOUS, one)) == person for one in person.anonymous_ids)


@given(journals, identifies | tracks | aliases)
def test_no_call_makes_an_id_be_forgotten(before: list[Call], call: Call) -> None:
    memory = remembered(before)
    known = set(memory.owners)
    memory.tell(call)
    assert known <= set(memory.owners)


@given(journals, identifies | tracks)
def test_a_call_with_another_user_id_changes_nothing_of_a_user(before: list[Call], call: Call) -> None:
    memory = remembered(before)
    named = memory.find(user(call.user_id)) if call.user_id else None
    others = {one.user_id: one for one in memory.persons.values() if one.user_id and one != named}
    memory.tell(call)
    if call.user_id:
        assert {name: memory.find(user(str(name))) for name in others} == others


@given(without_alias)
def test_without_an_alias_two_user_ids_are_two_persons(journal: list[Call]) -> None:
    memory = remembered(journal)
    found = [person for name in USERS if (person := memory.find(user(name)))]
    assert len({person.key for person in found}) == len(found)
    assert all(person.former_user_ids == () for person in found)


@given(without_alias, identifies | tracks)
def test_a_device_of_a_user_stays_theirs(before: list[Call], call: Call) -> None:
    memory = remembered(before)
    devices = {one: person for one in memory.owners if one.kind is IdKind.ANONYMOUS and (person := memory.find(one))}
    memory.tell(call)
    for device, owner in devices.items():
        found = memory.find(device)
        assert found is not None
        assert owner.user_id in {None, found.user_id}


@given(journals, identifies | tracks | aliases)
def test_of_persons_who_are_one_the_oldest_key_survives(before: list[Call], call: Call) -> None:
    memory = remembered(before)
    known = set(memory.persons)
    recognised = memory.tell(call)
    gone = known - set(memory.persons)
    assert all(number_of(recognised.person.key) < number_of(key) for key in gone if recognised.person)
    assert not gone or recognised.person is not None


@given(journals)
def test_no_key_is_given_twice(journal: list[Call]) -> None:
    memory, seen = Memory(), set[str]()
    for call in journal:
        before = set(memory.persons)
        memory.tell(call)
        assert not (set(memory.persons) - before) & seen
        seen |= set(memory.persons)


@given(journals, st.sampled_from([user("u1"), PersonId(IdKind.EMAIL, "x@example.com")]))
def test_i20_an_erased_id_leaves_no_trace(journal: list[Call], erased: PersonId) -> None:
    memory = remembered(journal, {erased: ERASED})
    kept = msgspec.json.encode([list(memory.persons.values()), list(memory.owners)]).decode()
    assert f'"{erased.value}"' not in kept


@given(journals)
def test_what_a_person_is_suppressed_for_is_never_lost_when_persons_unite(journal: list[Call]) -> None:
    memory = remembered(journal, {user("u1"): "unsubscribed"})
    person = memory.find(user("u1"))
    assert person is None or person.suppressed_because == "unsubscribed"


@given(journals)
def test_only_an_identify_says_traits(journal: list[Call]) -> None:
    memory = remembered([call for call in journal if call.type is not CallType.IDENTIFY])
    assert all(person.traits == {} and not person.is_identified for person in memory.persons.values())
