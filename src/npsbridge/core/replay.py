"""What is told again, or for the first time, of what was told before: the decisions of `npsbridge replay` (pure).

Responses are told as they are remembered: of their earlier revisions only the bodies in the outbox are left.
"""

from collections.abc import Callable, Collection
from enum import StrEnum

import msgspec

from npsbridge.core.forward import IDENTIFY, SURVEY
from npsbridge.core.identity import person_keys
from npsbridge.core.model import Emission, PlannedDelivery, Record, Response
from npsbridge.core.records import Recall, RememberedResponse, Routing, Sent, Shelved
from npsbridge.core.route import Plan, Rules, identity_of, shelf_item
from npsbridge.core.times import milliseconds
from npsbridge.core.translate import kinds


class Fate(StrEnum):
    """What becomes of something in the window, in words for the operator."""

    AGAIN = "sent again"
    FIRST = "sent for the first time"
    FILTERED = "not sent: the sink has no use for it"
    UNSAID = "not sent: the sink cannot be told"
    OUTDATED = "left out: something newer was sent since"
    SURVEY = "left out: --surveys asks people again"


class Untold(Record, frozen=True, kw_only=True):
    """What a sink is told of responses that it has never heard of."""

    deliveries: tuple[PlannedDelivery, ...] = ()
    shelved: tuple[Shelved, ...] = ()

    @property
    def routing(self) -> Routing:
        """What makes it true: nothing that arrived is consumed by it, so all of it is accepted anew."""
        return Routing(
            journal_id=None,
            deliveries=self.deliveries,
            shelved=self.shelved,
            partly_shelved=len(self.shelved),
        )


def fate_of(sent: Sent, *, surveys: bool, outdated: Collection[str]) -> Fate:
    """What becomes of a delivery that was made.

    Args:
        sent: the delivery.
        surveys: people are to be asked again.
        outdated: the subjects whose persons have given a newer answer since; their traits must stay those of that one.
    """
    if sent.kind == SURVEY and not surveys:
        return Fate.SURVEY
    if sent.kind == IDENTIFY and (not sent.is_latest or sent.subject in outdated):
        return Fate.OUTDATED
    return Fate.AGAIN


def is_newest(response: Response, recall: Recall, rules: Rules) -> bool:
    """Whether no newer answer of the person is known."""
    answered_at = milliseconds(response.created_at)
    keys = person_keys(response, identity_of(response, recall.identities, rules))
    return all(recall.newest.get(key, answered_at) <= answered_at for key in keys)


def tell(remembered: RememberedResponse, recall: Recall, *, rules: Rules, plan: Plan) -> Untold:
    """What a sink is told of a response that it has never heard of, as if it were new there."""
    response, newest = remembered.response, is_newest(remembered.response, recall, rules)
    emission = Emission(
        response=response,
        revision=remembered.revision,
        identity=identity_of(response, recall.identities, rules),
        is_newest=newest,
        kinds=kinds(response, None, is_newest=newest, rules=rules.events),
    )
    try:
        return Untold(deliveries=tuple(plan(emission)))
    except ValueError as error:
        return Untold(shelved=(shelf_item(response.connection, msgspec.json.encode(response), str(error)),))


Count = Callable[[str, Fate, int], None]
"""Takes a kind, what becomes of it, and how many there are."""


def count_untold(untold: Untold, count: Count) -> None:
    """Tell what becomes of each part."""
    for one in untold.deliveries:
        count(one.kind, Fate.FIRST if one.filtered_because is None else Fate.FILTERED, 1)
    for item in untold.shelved:
        count(item.kind, Fate.UNSAID, 1)
