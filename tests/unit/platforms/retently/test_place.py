"""How a pass goes on after each page, decided without a server."""

from hypothesis import given
from hypothesis import strategies as st

from npsbridge.platforms.retently.lists import Row, Sheet
from npsbridge.platforms.retently.place import RESTLESS, Floor, Pass, Task, Track


def sheet(count: int = 100, **told: int | None) -> Sheet:
    rows = [Row(id=f"r{number}", at=number, raw=b"{}") for number in range(count)]
    return Sheet(rows=rows, **{"limit": 100, **told})


def follow(*, page: int = 1, total: int | None = None, shown: int = 0) -> Pass:
    return Pass(task=Task.FOLLOW, since=0, page=page, total=total, shown=shown)


def test_a_pass_ends_with_the_last_page_announced() -> None:
    assert follow(page=2).after(sheet(pages=3), 100).page == 3
    assert follow(page=3).after(sheet(pages=3), 100).is_whole


def test_an_announcement_that_changes_is_followed() -> None:
    assert follow(page=3, total=300).after(sheet(pages=4, total=301), 100).page == 4


def test_a_short_page_ends_a_pass_where_only_the_limit_is_known() -> None:
    assert follow().after(sheet(99), 99).is_whole
    assert not follow().after(sheet(20, limit=20), 20).is_whole


def test_only_an_empty_page_ends_a_pass_where_nothing_is_known() -> None:
    assert not follow().after(sheet(1, limit=None), 1).is_whole
    assert follow().after(sheet(0, limit=None), 0).is_whole


def test_a_total_that_fell_sends_back_as_far_as_rows_can_have_slipped() -> None:
    assert follow(page=5, total=1000).after(sheet(total=999, pages=10), 100).page == 4
    assert follow(page=5, total=1000).after(sheet(total=750, pages=8), 100).page == 2
    assert follow(page=5, total=1000).after(sheet(0, total=0, pages=0), 0).page == 1


def test_a_page_that_comes_again_is_known_unless_we_went_back_for_it() -> None:
    page = sheet(total=1000, pages=10)
    assert follow(page=5, total=1000).after(page, 100).is_repeated_by(page)
    assert not follow(page=5, total=1100).after(page, 100).is_repeated_by(page)
    assert not follow(page=5).after(sheet(0, pages=9), 0).is_repeated_by(sheet(0))


def test_a_total_that_fell_at_the_first_page_hides_nothing() -> None:
    assert follow(page=1, total=1000).after(sheet(total=900, pages=9), 100).page == 2


def test_a_pass_that_showed_too_little_is_begun_again_while_that_helps() -> None:
    first = follow(page=2, total=150, shown=99).after(sheet(50, total=150, pages=2), 49)
    assert (first.page, first.is_whole) == (1, False)
    assert first.after(sheet(100, total=150, pages=1), 1).page == 1
    assert first.after(sheet(100, total=150, pages=1), 2).is_whole
    assert first.after(sheet(100, total=150, pages=1), 0).is_whole


def test_a_total_that_goes_up_and_down_makes_a_pass_pause() -> None:
    asked, steps = follow(), 0
    while not asked.is_restless:
        asked = asked.after(sheet(total=200 if asked.page == 1 else 100, pages=2), 0)
        steps += 1
    assert steps == 2 * RESTLESS
    assert not asked.after(sheet(total=200, pages=2), 0).is_restless


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from([None, 0, 1, 3, 9]), st.sampled_from([None, 1, 4])),
        max_size=30,
    )
)
def test_no_server_can_lead_a_pass_to_a_page_before_the_first(
    answers: list[tuple[int, int | None, int | None]],
) -> None:
    asked = follow()
    for count, total, pages in answers:
        asked = asked.after(sheet(count, total=total, pages=pages), count)
        assert asked.page >= 1


@given(first=st.integers(1, 2**31), span=st.integers(0, 400 * 86_400))
def test_the_windows_of_history_leave_no_gap(first: int, span: int) -> None:
    track = Track(first=first, window=first, mark_ms=(first + span) * 1000)
    reached = first
    for window in track.history():
        assert window.since <= reached
        assert window.until is not None
        reached = window.until
        track.complete(window, 0, None)
    assert reached > first + span
    assert track.window is None


def test_an_empty_pass_never_lowers_the_mark() -> None:
    track = Track(mark_ms=5000)
    track.complete(follow(), 0, None)
    assert track.mark_ms == 5000


def test_a_floor_lets_through_what_cannot_be_read() -> None:
    rows = [Row(id="a", at=1, raw=b"1"), Row(id="b", at=None, raw=b"2"), Row(id="c", at=5, raw=b"3")]
    assert [row.id for row in Floor(at_ms=5, ids=["x"]).keep(rows)] == ["b", "c"]
