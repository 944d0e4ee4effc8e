"""Who a response is about: the ladder from a vendor's respondent to the ids of a Segment call.

Knows nothing of where identities are kept; the caller hands in what is known of the email.
"""

from npsbridge.core.keys import normalised_email, person_uuid, real_id
from npsbridge.core.model import Identity, Respondent, Response
from npsbridge.core.revise import nps_rating


def resolve(response: Response, known: Identity | None, *, allow_email_user_id: bool) -> Identity:
    """The identity a response is reported under: exactly one id, and the email whenever it is known.

    The first rung that holds wins: what came back with the response; what we know of the email (`known`); the email
    itself as userId, if IDENTITY__ALLOW_EMAIL_USER_ID; an anonymousId made of the email, the vendor's id of the
    person, or the response. On one rung a userId goes before an anonymousId.
    """
    person = response.person
    email = normalised_email(person.email) or normalised_email(known.email if known else None)
    known = known or Identity()
    for user_id, anonymous_id in (
        (real_id(person.user_id), real_id(person.anonymous_id)),
        (real_id(known.user_id), real_id(known.anonymous_id)),
        (email if allow_email_user_id else None, None),
    ):
        if user_id:
            return Identity(user_id=user_id, email=email)
        if anonymous_id:
            return Identity(anonymous_id=anonymous_id, email=email)
    return Identity(anonymous_id=_made_up_id(response, email), email=email)


def _made_up_id(response: Response, email: str | None) -> str:
    return person_uuid(
        platform=response.platform,
        connection=response.connection,
        response_id=response.id,
        email=email,
        person_id=real_id(response.person.id),
    )


def is_anonymous(person: Respondent) -> bool:
    """Whether nothing at all says who answered; such an answer has an identity of its own and no traits."""
    ids = (person.user_id, person.anonymous_id, person.id)
    return normalised_email(person.email) is None and all(real_id(value) is None for value in ids)


def carries_traits(response: Response) -> bool:
    """Whether this response can set its person's `NPS_*` traits: an NPS score of somebody."""
    return nps_rating(response) is not None and not is_anonymous(response.person)


def person_keys(response: Response, identity: Identity) -> tuple[str, ...]:
    """The keys under which the newest answer of this person is remembered.

    None for a response that carries no traits: neither an anonymous answer nor, say, a CSAT score may make an NPS
    answer look old.
    """
    if not carries_traits(response):
        return ()
    own = delivery_person(identity)
    return (f"email:{identity.email}", own) if identity.email else (own,)


def delivery_person(identity: Identity) -> str:
    """The key within which deliveries keep their order: the id they go out under, for that is whose traits they set."""
    return f"user:{identity.user_id}" if identity.user_id else f"anonymous:{identity.anonymous_id}"
