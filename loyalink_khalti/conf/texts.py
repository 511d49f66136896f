"""What a site calls its points."""

from dataclasses import dataclass

from django.apps import apps

from .servers import of_site


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgrammeTexts:
    """Editors' own words, as they wrote them; "" where they wrote none."""

    name: str = ""
    text: str = ""


def programme_texts(key: str) -> ProgrammeTexts:
    """The name of a site's programme, and the text on its points card."""
    found = apps.get_model("loyalink_khalti", "LoyaltySettings").objects.filter(**of_site(key)).first()
    return ProgrammeTexts(name=found.name, text=found.text) if found else ProgrammeTexts()
