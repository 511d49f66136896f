"""What goods are sorted by, as the shops name it."""

from collections.abc import Iterable

from loyalink_khalti import conf


def known(used: Iterable[str] = ()) -> dict[str, str]:
    """The tags of all shops with their names; of those in use that no shop has any more, the tag itself."""
    found = {tag: str(name) for shop in conf.shops().values() for tag, name in shop.tags().items()}
    return found | {tag: tag for tag in used if tag not in found}
