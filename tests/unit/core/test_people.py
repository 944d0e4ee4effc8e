import pytest

from npsbridge.core.calls import Call, CallType
from npsbridge.core.model import Identity
from npsbridge.core.people import ERASED, IdKind, Person, PersonId, number_of, why_suppressed
from npsbridge.core.recognise import People, ids_of
from unit.core.people import Memory, alias, call, identify, track

ANN = "ann@example.com"


@pytest.fixture
def memory() -> Memory:
    return Memory()


def user(value: str) -> PersonId:
    return PersonId(IdKind.USER, value)


def anonymous(value: str) -> PersonId:
    return PersonId(IdKind.ANONYMOUS, value)


def email(value: str) -> PersonId:
    return PersonId(IdKind.EMAIL, value)


def told(memory: Memory, *calls: Call) -> Person:
    """The person whom the last call is about, after all of them."""
    person = [memory.tell(one).person for one in calls][-1]
    assert person is not None
    return person


# --- ids --------------------------------------------------------------------------------------------------------


def test_a_person_is_found_by_every_id_that_was_given(memory: Memory) -> None:
    person = told(memory, identify("u1", "a1", email=" Ann@Example.COM "))
    assert [memory.find(one) for one in (user("u1"), anonymous("a1"), email(ANN))] == [person] * 3
    assert person.identity == Identity(user_id="u1", anonymous_id="a1", email=ANN)


def test_an_id_that_a_call_leaves_out_stays(memory: Memory) -> None:
    person = told(memory, identify("u1", "a1", email=ANN), track("u1"))
    assert (person.anonymous_ids, person.email) == (("a1",), ANN)


def test_anonymous_history_goes_to_the_user_who_turns_up(memory: Memory) -> None:
    before = told(memory, identify(None, "a1", plan="team"))
    after = told(memory, identify("u1", "a1", name="Ann"))
    assert (after.key, after.user_id, after.traits) == (before.key, "u1", {"plan": "team", "name": "Ann"})


def test_a_second_user_on_a_shared_device_is_another_person(memory: Memory) -> None:
    first = told(memory, identify("u1", "a1", plan="team"))
    second = told(memory, identify("u2", "a1"))
    assert (second.traits, second.anonymous_ids) == ({}, ())
    assert memory.find(anonymous("a1")) == first


def test_an_anonymous_person_and_a_known_user_become_one_under_the_older_key(memory: Memory) -> None:
    older = told(memory, track(None, "a1"))
    newer = told(memory, identify("u1", plan="team"))
    united = told(memory, track("u1", "a1"))
    assert (united.key, united.traits) == (older.key, newer.traits)
    assert list(memory.persons) == [older.key]


def test_the_key_of_the_newer_one_leads_to_the_older() -> None:
    memory = Memory()
    memory.absorb(identify("u1"), track(None, "a1"))
    recalled = memory.recall(ids_of(track("u1", "a1")))
    people = People(recalled)
    people.absorb(track("u1", "a1"))
    assert people.take().redirects == {"person:2": "person:1"}


def test_only_the_newest_anonymous_ids_are_carried_along_but_all_find_the_person(memory: Memory) -> None:
    person = told(memory, *(track("u1", f"a{number}") for number in range(8)), track("u1", "a5"))
    assert person.anonymous_ids == ("a3", "a4", "a6", "a7", "a5")
    assert memory.find(anonymous("a0")) == person


# --- email ------------------------------------------------------------------------------------------------------


def test_two_users_of_one_mailbox_stay_two_and_the_newest_is_found_by_it(memory: Memory) -> None:
    first = told(memory, identify("u1", email=ANN))
    second = told(memory, identify("u2", email=ANN))
    assert first.key != second.key
    assert memory.find(email(ANN)) == second
    assert memory.find(user("u1")) == first


@pytest.mark.parametrize("calls", [("user", "anonymous"), ("anonymous", "user")])
def test_an_email_joins_somebody_without_user_id_to_the_user_who_has_it(memory: Memory, calls: tuple[str, str]) -> None:
    said = {"user": identify("u1", email=ANN), "anonymous": identify(None, "a1", email=ANN)}
    person = told(memory, *(said[name] for name in calls))
    assert (person.user_id, person.anonymous_ids, len(memory.persons)) == ("u1", ("a1",), 1)


def test_a_call_without_user_id_takes_no_email_away_from_another_user(memory: Memory) -> None:
    owner = told(memory, identify("u1", email=ANN))
    other = told(memory, identify("u2", "a2"), identify(None, "a2", email=ANN))
    assert (other.user_id, other.email) == ("u2", ANN)
    assert memory.find(email(ANN)) == owner


def test_a_new_email_is_the_one_to_write_to_and_the_old_one_still_finds_the_person(memory: Memory) -> None:
    person = told(memory, identify("u1", email=ANN), identify("u1", email="new@example.com"))
    assert person.email == "new@example.com"
    assert memory.find(email(ANN)) == person


def test_a_track_adds_an_email_only_while_none_is_known(memory: Memory) -> None:
    assert told(memory, track("u1", email=ANN)).email == ANN
    assert told(memory, track("u1", email="other@example.com")).email == ANN
    assert memory.find(email("other@example.com")) is None


def test_a_track_moves_no_email_from_one_user_to_another(memory: Memory) -> None:
    owner = told(memory, identify("u1", email=ANN))
    assert told(memory, track("u2", email=ANN)).email == ANN
    assert memory.find(email(ANN)) == owner


def test_an_email_among_the_properties_is_not_taken_for_the_person_s(memory: Memory) -> None:
    invited = call(CallType.TRACK, "u1", event="Invited", properties={"email": ANN}, email=ANN)
    assert told(memory, invited).email is None
    assert email(ANN) in ids_of(invited)


def test_the_email_of_a_group_is_the_group_s(memory: Memory) -> None:
    group = call(CallType.GROUP, "u1", "a1", group_id="g", traits={"email": "office@example.com", "plan": "x"})
    person = told(memory, group)
    assert (person.email, person.traits, person.anonymous_ids) == (None, {}, ("a1",))


@pytest.mark.parametrize("value", ["nobody", 7, ["x@example.com"], "", " "])
def test_f33_what_is_no_email_changes_no_email(memory: Memory, value: object) -> None:
    assert told(memory, identify("u1", email=ANN), identify("u1", email=value)).email == ANN


# --- traits -----------------------------------------------------------------------------------------------------


def test_traits_merge_by_name_and_whole_objects_are_replaced(memory: Memory) -> None:
    person = told(
        memory,
        identify("u1", plan="team", address={"city": "Ulm", "zip": "1"}, tags=["a"]),
        identify("u1", plan="solo", address={"city": "Bonn"}),
    )
    assert person.traits == {"plan": "solo", "address": {"city": "Bonn"}, "tags": ["a"]}


def test_null_removes_a_trait_and_an_empty_text_does_not(memory: Memory) -> None:
    assert told(memory, identify("u1", a=1, b=2), identify("u1", a=None, b="")).traits == {"b": ""}


def test_null_takes_the_email_away_for_writing_but_it_still_finds_the_person(memory: Memory) -> None:
    person = told(memory, identify("u1", email=ANN), identify("u1", email=None))
    assert (person.email, person.traits) == (None, {})
    assert memory.find(email(ANN)) == person


def test_context_traits_of_a_track_are_no_traits_of_the_person(memory: Memory) -> None:
    person = told(memory, identify("u1", plan="team"), track("u1", plan="other", name="x"))
    assert person.traits == {"plan": "team"}


def test_traits_of_the_user_go_over_anonymous_ones_when_they_turn_out_to_be_one(memory: Memory) -> None:
    person = told(memory, identify(None, "a1", plan="anon", ref="ad"), identify("u1", plan="team"), track("u1", "a1"))
    assert person.traits == {"plan": "team", "ref": "ad"}


def test_traits_of_the_user_go_over_anonymous_ones_when_it_is_the_email_that_joins_them(memory: Memory) -> None:
    person = told(memory, identify(None, "a1", plan="anon"), identify("u1", email=ANN, plan="team"))
    assert person.key == "person:2"
    assert told(memory, track(None, "a1", email=ANN)).traits == {"plan": "team", "email": ANN}


def test_only_an_identify_identifies(memory: Memory) -> None:
    seen = [told(memory, one).is_identified for one in (track("u1"), identify("u1"), track("u1"))]
    assert seen == [False, True, True]


# --- alias ------------------------------------------------------------------------------------------------------


def test_an_alias_gives_a_person_another_user_id_and_the_old_one_still_finds_them(memory: Memory) -> None:
    before = told(memory, identify("old", plan="team"))
    after = told(memory, alias("old", "new"))
    assert (after.key, after.user_id, after.former_user_ids) == (before.key, "new", ("old",))
    assert told(memory, identify("old", name="Ann")).user_id == "new"


def test_an_alias_unites_two_known_users(memory: Memory) -> None:
    told(memory, identify("old", plan="team", name="O"), identify("new", name="N"))
    person = told(memory, alias("old", "new"))
    assert (person.user_ids, person.traits) == (("old", "new"), {"name": "N", "plan": "team"})
    assert len(memory.persons) == 1


def test_an_alias_of_an_anonymous_id_is_no_new_user_id(memory: Memory) -> None:
    told(memory, identify(None, "a1", plan="team"))
    person = told(memory, alias("a1", "u1"))
    assert (person.user_ids, person.traits) == (("u1",), {"plan": "team"})


def test_an_alias_does_not_take_an_anonymous_id_from_another_user(memory: Memory) -> None:
    first = told(memory, identify("u1", "a1"))
    second = told(memory, alias("a1", "u2"))
    assert (first.key != second.key, second.user_ids) == (True, ("u2",))
    assert memory.find(anonymous("a1")) == first


@pytest.mark.parametrize("later", [track("unheard"), track(None, "unheard")])
def test_an_alias_of_what_nobody_has_heard_of_finds_the_person_whatever_it_was(memory: Memory, later: Call) -> None:
    assert told(memory, alias("unheard", "u1"), later).user_id == "u1"


# --- nobody, and those who left ---------------------------------------------------------------------------------


def test_f33_a_call_without_any_id_is_about_nobody(memory: Memory) -> None:
    assert memory.tell(track()).person is None
    assert memory.persons == {}


@pytest.mark.parametrize("one", [user("u1"), email(ANN)])
def test_who_is_suppressed_by_user_id_or_email_says_why(one: PersonId) -> None:
    memory = Memory({one: "unsubscribed"})
    assert told(memory, identify("u1", email=ANN)).suppressed_because == "unsubscribed"


def test_a_new_email_ends_what_the_old_one_was_suppressed_for() -> None:
    memory = Memory({email(ANN): "bounced"})
    person = told(memory, identify("u1", email=ANN), identify("u1", email="new@example.com"))
    assert person.suppressed_because is None


def test_a_former_user_id_suppresses_after_an_alias() -> None:
    person = told(Memory({user("old"): "unsubscribed"}), identify("old"), alias("old", "new"))
    assert person.suppressed_because == "unsubscribed"


ERASED_CALLS = [
    ({user("u1")}, identify("u1", "a1", email=ANN)),
    ({email(ANN)}, identify("u2", email="ANN@example.com")),
    ({email(ANN)}, track("u2", email=ANN)),
    ({anonymous("a1")}, track(None, "a1")),
    ({user("u1")}, alias("u1", "u2")),
]


@pytest.mark.parametrize(("erased", "later"), ERASED_CALLS)
def test_i20_later_calls_of_an_erased_person_are_erased(erased: set[PersonId], later: Call) -> None:
    memory = Memory(dict.fromkeys(erased, ERASED))
    recognised = memory.tell(later)
    assert (recognised.is_erased, recognised.person, memory.owners) == (True, None, {})


def test_i20_another_user_on_the_device_of_an_erased_person_is_not_erased_and_does_not_get_the_id() -> None:
    memory = Memory({anonymous("a1"): ERASED})
    assert told(memory, identify("u2", "a1")).anonymous_ids == ()
    assert memory.find(anonymous("a1")) is None


def test_a_key_tells_who_is_older() -> None:
    assert number_of("person:9") < number_of("person:10")
    with pytest.raises(ValueError, match="begins with person:"):
        number_of("user:9")


def test_nobody_is_suppressed_by_an_anonymous_id() -> None:
    person = Person(key="person:1", user_id="u", anonymous_ids=("a",))
    assert why_suppressed(person, {anonymous("a"): "bounced"}) is None


def test_before_and_after_a_call_can_be_compared(memory: Memory) -> None:
    first, again, changed = (
        memory.tell(one) for one in (identify("u1", a=1), identify("u1", a=1), identify("u1", a=2))
    )
    assert first.before is None
    assert again.before == again.person
    assert changed.before == again.person != changed.person
