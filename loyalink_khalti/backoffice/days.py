"""Days that somebody may have typed wrongly, and that lists and reports can still reckon with."""

from datetime import date

EARLIEST = date(2000, 1, 1)
"""A year typed wrongly asks for no more months than these."""
LATEST = date(2199, 12, 31)


def within_reach(day: date) -> date:
    """A day in years in which a shop may have sold something: calendars end where computers count no further."""
    return min(max(day, EARLIEST), LATEST)
