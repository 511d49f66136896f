"""For pages of one order: what was never placed is not there."""

from typing import Any

from django.http import Http404

from . import orders


class PlacedOnlyMixin:
    """Show nothing of an order, or of a line of one, that was never placed."""

    on_unplaced: Any = Http404
    """What to raise; None where Oscar's view expects None for "there is no such order"."""

    def get_object(self, *args: Any, **kwargs: Any) -> Any:
        found = super().get_object(*args, **kwargs)  # type: ignore[misc]  # Oscar's view
        if found is None or orders.is_placed(getattr(found, "order", found)):
            return found
        if self.on_unplaced is None:
            return None
        raise self.on_unplaced
