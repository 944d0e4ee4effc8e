"""What stands for ids in a store (pure, for every engine): digests, and under which of them somebody is suppressed."""

import hashlib
from typing import Final

from npsbridge.core.identity import delivery_person
from npsbridge.core.keys import normalised_email
from npsbridge.core.model import Identity, Respondent
from npsbridge.core.people import IdKind, Person, PersonId

_BYTES: Final = 16


def digest_of_id(key: bytes, one: PersonId) -> str:
    """What stands for an id that must not be kept: BLAKE2b under the store's own key."""
    said = f"{one.kind.value}\n{one.value}".encode()
    return hashlib.blake2b(said, key=key, digest_size=_BYTES).hexdigest()


def digest_of_message(message_id: str) -> bytes:
    """What stands for a call's messageId; short, and of one length whatever a sender makes of it."""
    return hashlib.blake2b(message_id.encode(errors="surrogatepass"), digest_size=_BYTES).digest()


def surveyed_by(person: Person) -> list[PersonId]:
    """The ids that a suppression of a person may stand under."""
    mailbox = [PersonId(IdKind.EMAIL, person.email)] if person.email else []
    return [*(PersonId(IdKind.USER, user_id) for user_id in person.user_ids), *mailbox]


def ids_of_respondent(person: Respondent) -> list[PersonId]:
    """What an answer itself says of who gave it."""
    said = {
        IdKind.EMAIL: normalised_email(person.email),
        IdKind.USER: person.user_id,
        IdKind.ANONYMOUS: person.anonymous_id,
    }
    return [PersonId(kind, value) for kind, value in said.items() if value]


def inbound_key(one: PersonId) -> str:
    """The key under which the newest answer of a person is remembered (npsbridge.core.identity.person_keys)."""
    match one.kind:
        case IdKind.USER:
            return delivery_person(Identity(user_id=one.value))
        case IdKind.ANONYMOUS:
            return delivery_person(Identity(anonymous_id=one.value))
        case IdKind.EMAIL:
            return f"email:{one.value}"
