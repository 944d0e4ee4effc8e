"""Erasing what is held of one person, whom an operator has named by an email or a userId."""

from npsbridge.core.keys import normalised_email, real_id
from npsbridge.core.people import IdKind, PersonId
from npsbridge.core.records import Forgotten
from npsbridge.core.storage import Store
from npsbridge.errors import UsageError


def ids_of(key: str) -> list[PersonId]:
    """What an operator may have meant: an email names its owners, and may be somebody's userId as well.

    Raises:
        UsageError: the key is neither.
    """
    email = normalised_email(key) if "@" in key else None
    user_id = real_id(key)
    if user_id is None:
        raise UsageError("this is neither an email nor a userId")
    return [*([PersonId(IdKind.EMAIL, email)] if email else []), PersonId(IdKind.USER, user_id)]


async def forget(store: Store, wanted: list[PersonId]) -> Forgotten:
    """Erase whom these ids name."""
    parts = [await store.forget(one) for one in wanted]
    return Forgotten(
        persons=sum(one.persons for one in parts),
        responses=sum(one.responses for one in parts),
        deliveries=sum(one.deliveries for one in parts),
        records=sum(one.records for one in parts),
        connections=tuple(sorted({name for one in parts for name in one.connections})),
        remains=parts[-1].remains,
    )
