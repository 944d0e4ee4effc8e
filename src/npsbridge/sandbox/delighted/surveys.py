"""Survey requests: asked for, throttled, sent, and those that Autopilot asks for by itself.

Pure state; times are handed in. It knows people, not responses. Rules of throttling and of Autopilot:
help.delighted.com, articles 46, 47, 559 and 560.
"""

import heapq
import itertools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from math import ceil
from types import MappingProxyType

import msgspec

from npsbridge.sandbox.delighted.people import People
from npsbridge.sandbox.delighted.records import AutopilotPlan, Membership, Person, RequestState, SurveyRequest
from npsbridge.sandbox.delighted.switches import DelightedSwitches

PLATFORMS = ("email", "sms")
DAY = 86400

_MORNING_HOUR = 9
_SATURDAY = 5


class Surveys:
    """What was asked and what became of it."""

    def __init__(self, people: People, switches: DelightedSwitches) -> None:
        self.switches = switches
        self._people = people
        self._requests: dict[str, SurveyRequest] = {}
        self._of_person: dict[str, list[str]] = {}
        self._due: list[tuple[float, int]] = []
        self._ids = itertools.count(5001)

    @property
    def requests(self) -> Mapping[str, SurveyRequest]:
        """All of them, by id in the order they were asked; not to be changed."""
        return MappingProxyType(self._requests)

    def of_person(self, person_id: str) -> list[SurveyRequest]:
        """A person's requests, oldest first."""
        return [self._requests[request_id] for request_id in self._of_person.get(person_id, [])]

    def next_scheduled_at(self, person_id: str, *, now: float) -> int | None:
        """When the next survey of this person goes out, as the account shows it."""
        pending = [request.scheduled_at for request in self.of_person(person_id) if _is_pending(request)]
        return min((at for at in pending if at > now or self.switches.due_is_shown), default=None)

    def ask(
        self,
        person: Person,
        *,
        at: int,
        scheduled_at: int,
        channel: str = "email",
        properties: dict[str, str] | None = None,
        by_autopilot: bool = False,
    ) -> SurveyRequest:
        """Ask for a survey; it is pending, or refused at once if the account decides that early."""
        verdict = self._verdict(person, channel, scheduled_at)
        is_refused = verdict is not RequestState.SENT and not self.switches.throttle_decided_later
        if not self.switches.pending_requests_coexist:
            self.cancel_pending(person.id)
        request = SurveyRequest(
            id=str(next(self._ids)),
            person_id=person.id,
            channel=channel,
            asked_at=at,
            scheduled_at=scheduled_at,
            properties=properties or {},
            state=verdict if is_refused else RequestState.PENDING,
            by_autopilot=by_autopilot,
        )
        self._keep(request)
        return request

    def cancel_pending(self, person_id: str, *, by_autopilot: bool = False) -> None:
        """Cancel what was not sent yet: the requests of API callers, or those of Autopilot."""
        for request in self.of_person(person_id):
            if _is_pending(request) and request.by_autopilot == by_autopilot:
                self._settle(request, RequestState.CANCELLED)

    def forget_person(self, person_id: str) -> None:
        """Delete all requests of a person."""
        for request_id in self._of_person.pop(person_id, []):
            del self._requests[request_id]

    def send_due(self, now: float) -> list[SurveyRequest]:
        """Send or drop what is due, in the order of its time, and return it."""
        done = []
        while self._due and self._due[0][0] <= now:
            moment, number = heapq.heappop(self._due)
            request = self._requests.get(str(number))
            if request is not None and _is_pending(request):
                done.append(self._send(request, ceil(moment)))
        return done

    def _send(self, request: SurveyRequest, at: int) -> SurveyRequest:
        person = self._people.find(request.person_id)
        verdict = RequestState.CANCELLED if person is None else self._verdict(person, request.channel, at)
        if verdict is not RequestState.SENT:
            return self._settle(request, verdict)
        self._people.change(request.person_id, last_sent_at=at)
        return self._settle(msgspec.structs.replace(request, sent_at=at), verdict)

    def _verdict(self, person: Person, channel: str, at: int) -> RequestState:
        if channel == "email" and self._people.is_unreachable(person.id):
            return RequestState.UNREACHABLE
        days = self.switches.throttle_days
        if days is not None and person.last_sent_at is not None and at - person.last_sent_at < days * DAY:
            return RequestState.THROTTLED
        return RequestState.SENT

    def _keep(self, request: SurveyRequest) -> None:
        self._requests[request.id] = request
        self._of_person.setdefault(request.person_id, []).append(request.id)
        if _is_pending(request):
            heapq.heappush(self._due, (request.scheduled_at + self.switches.sending_takes, int(request.id)))

    def _settle(self, request: SurveyRequest, state: RequestState) -> SurveyRequest:
        settled = self._requests[request.id] = msgspec.structs.replace(request, state=state)
        return settled


class Autopilot:
    """One platform's Autopilot: surveys its members again and again."""

    def __init__(self, platform: str, surveys: Surveys, *, at: int) -> None:
        self.plan = AutopilotPlan(platform_id=platform, created_at=at, updated_at=at)
        self._surveys = surveys
        self._members: dict[str, Membership] = {}
        self._joined = itertools.count(1)

    def find(self, person_id: str) -> Membership | None:
        """The membership of a person."""
        return self._members.get(person_id)

    def page(self, *, after: int | None, count: int) -> tuple[list[Membership], int | None]:
        """Members in the order of joining, and the cursor of the next page if there is one."""
        rest = [member for member in self._members.values() if after is None or member.order > after]
        return rest[:count], (rest[count - 1].order if len(rest) > count else None)

    def join(self, person: Person, properties: dict[str, str], *, at: int) -> Membership:
        """Add a person, or give a member new properties; the new map replaces the old one."""
        known = self._members.get(person.id)
        membership = Membership(
            person_id=person.id,
            created_at=known.created_at if known else at,
            updated_at=at,
            properties=properties,
            order=known.order if known else next(self._joined),
        )
        self._members[person.id] = membership
        self._surveys.cancel_pending(person.id, by_autopilot=True)
        last_sent_at = person.last_sent_at
        due = at if last_sent_at is None else max(at, last_sent_at + self.plan.frequency)
        self._schedule(person, membership, at=at, due=due)
        return membership

    def leave(self, person_id: str) -> None:
        """Remove a member and cancel what Autopilot has scheduled for them."""
        self._members.pop(person_id, None)
        self._surveys.cancel_pending(person_id, by_autopilot=True)

    def next_request(self, person_id: str) -> SurveyRequest | None:
        """What Autopilot has scheduled for a member."""
        waiting = (request for request in self._surveys.of_person(person_id) if _is_pending(request))
        return next((request for request in waiting if request.by_autopilot), None)

    def recur(self, person: Person, *, at: int) -> None:
        """Schedule a member's next survey after one was sent or dropped."""
        membership = self._members.get(person.id)
        if membership is not None:
            self._schedule(person, membership, at=at, due=at + self.plan.frequency)

    def _schedule(self, person: Person, membership: Membership, *, at: int, due: int) -> None:
        self._surveys.ask(
            person,
            at=at,
            scheduled_at=weekday_morning(due),
            channel=self.plan.platform_id,
            properties=membership.properties,
            by_autopilot=True,
        )


def weekday_morning(second: int) -> int:
    """The first nine o'clock (UTC) of a working day that is not before `second`."""
    moment = datetime.fromtimestamp(second, UTC)
    morning = moment.replace(hour=_MORNING_HOUR, minute=0, second=0)
    if morning < moment:
        morning += timedelta(days=1)
    while morning.weekday() >= _SATURDAY:
        morning += timedelta(days=1)
    return int(morning.timestamp())


def _is_pending(request: SurveyRequest) -> bool:
    return request.state is RequestState.PENDING
