"""What a member reads on the points card."""

from loyalink_khalti.loyalty.card import Card, card


def member(site_key: str, member_id: str) -> Card:
    """A member's points, level and history on a site."""
    return card(site_key, member_id)
