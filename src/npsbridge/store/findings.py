"""What `npsbridge db check` finds of a store, whatever its engine is (pure)."""

from npsbridge.core.model import Record
from npsbridge.core.records import Ledger
from npsbridge.errors import StoreUnusable


class Found(Record, frozen=True, kw_only=True):
    """One thing that was looked at."""

    subject: str
    is_good: bool | None
    """None for what works now and may not do so for long."""
    text: str
    """In words, with what to do."""
    exit_code: int = 0
    """What a command ends with when this is wrong."""


def judged_ledger(ledger: Ledger) -> Found:
    """Whether everything accepted is accounted for."""
    if ledger.imbalance == 0:
        return Found(subject="ledger", is_good=True, text=f"all of {ledger.accepted} accepted are accounted for")
    what = "unaccounted for" if ledger.imbalance > 0 else "counted twice"
    text = f"{abs(ledger.imbalance)} of {ledger.accepted} accepted are {what}; please report it, with this output"
    return Found(subject="ledger", is_good=False, text=text, exit_code=StoreUnusable.exit_code)
