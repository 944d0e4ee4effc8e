"""`GET /v1/metrics`: counts and the Net Promoter Score of some responses.

Pure. Field names: delighted.com/docs/api/getting-metrics.
"""

from collections.abc import Iterable

from npsbridge.sandbox.delighted.records import SurveyResponse

AVERAGED_SECONDS = 30 * 86400
"""Without dates the vendor averages over the 30 days that end with the latest response."""

PROMOTER_FROM = 9
PASSIVE_FROM = 7


def metrics(rows: Iterable[SurveyResponse]) -> dict[str, float]:
    """The answer of the metrics call; responses of other survey types do not count."""
    scores = [row.score for row in rows if row.survey_type == "nps"]
    promoters = sum(score >= PROMOTER_FROM for score in scores)
    passives = sum(PASSIVE_FROM <= score < PROMOTER_FROM for score in scores)
    detractors = len(scores) - promoters - passives
    return {
        "nps": round(100 * (promoters - detractors) / len(scores)) if scores else 0,
        "promoter_count": promoters,
        "promoter_percent": _percent(promoters, len(scores)),
        "passive_count": passives,
        "passive_percent": _percent(passives, len(scores)),
        "detractor_count": detractors,
        "detractor_percent": _percent(detractors, len(scores)),
        "response_count": len(scores),
    }


def _percent(part: int, whole: int) -> float:
    """With one decimal, and without it where it would be a zero."""
    share = round(100 * part / whole, 1) if whole else 0.0
    return int(share) if share.is_integer() else share
