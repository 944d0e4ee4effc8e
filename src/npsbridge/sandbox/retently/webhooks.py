"""What Retently's webhooks say: unsigned, with a body that the account's users edit.

It knows what a webhook looks like; how it travels is in `npsbridge.sandbox.webhooks`.
"""

from collections.abc import Mapping
from typing import Any, Final

RECOMMENDED: Final[Mapping[str, Any]] = {
    "event": "{{event}}",
    "id": "{{id}}",
    "email": "{{email}}",
    "score": "{{score}}",
    "comment": "{{comment}}",
    "campaignId": "{{campaignId}}",
    "metricsType": "{{metricsType}}",
    "createdDate": "{{createdDate}}",
}
"""The body that npsbridge suggests. The real syntax of placeholders is not published; these braces are ours."""
EVERYTHING: Final = "{{*}}"
"""The whole object, as the template that is pre-filled has it."""


def rendered(template: Any, values: Mapping[str, Any]) -> Any:
    """The template with its placeholders filled in; one that names nothing stays as it is."""
    match template:
        case {}:
            return {name: rendered(value, values) for name, value in template.items()}
        case list():
            return [rendered(value, values) for value in template]
        case "{{*}}":
            return dict(values)
        case str() if template.startswith("{{") and template.endswith("}}"):
            return values.get(template[2:-2], template)
        case _:
            return template
