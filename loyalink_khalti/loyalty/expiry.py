"""When points come and go, by the days of Kathmandu. Pure functions."""

import calendar
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

KATHMANDU = ZoneInfo("Asia/Kathmandu")


def expires_at(available_at: datetime, *, months: int | None, month_end: bool = False) -> datetime | None:
    """The instant from which points are gone: midnight after their last valid day, in UTC; None for never."""
    if months is None:
        return None
    last_day = add_months(day_of(available_at), months)
    if month_end:
        last_day = last_day.replace(day=calendar.monthrange(last_day.year, last_day.month)[1])
    return midnight_after(last_day)


def midnight_after(day: date) -> datetime:
    """The end of a day in Kathmandu, in UTC."""
    return datetime.combine(day + timedelta(days=1), time(), tzinfo=KATHMANDU).astimezone(UTC)


def day_of(moment: datetime) -> date:
    """The day that it is in Kathmandu."""
    return moment.astimezone(KATHMANDU).date()


def add_months(day: date, months: int) -> date:
    """The same day ``months`` later, or that month's last."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
