"""How many points a member has chosen to use for a basket, kept on the server, for clients without a session.

It is a wish, and holds nothing: the flow decides under lock how many points a purchase redeems.
"""

from datetime import timedelta

from django.db import models
from django.db.models import Q
from django.utils import timezone

from .after_response import once_per_request, read_again
from .money import Points

KEPT_FOR = timedelta(days=30)


class PointsChoice(models.Model):
    """The number of points that the basket ``origin`` of a shop is to use."""

    shop = models.CharField(max_length=32)
    origin = models.CharField(max_length=128)
    points = models.BigIntegerField()
    chosen_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        verbose_name = "points choice"
        constraints = [
            models.UniqueConstraint(fields=["shop", "origin"], name="loyalink_one_points_choice"),
            models.CheckConstraint(condition=Q(points__gt=0), name="loyalink_points_choice_positive"),
        ]


def choose_points(*, shop: str, origin: str, points: Points) -> None:
    """Keep how many points a basket is to use, 0 for none; the caller has checked that they fit."""
    read_again()
    PointsChoice.objects.filter(chosen_at__lt=timezone.now() - KEPT_FOR).delete()
    if not points:
        PointsChoice.objects.filter(shop=shop, origin=origin).delete()
        return
    PointsChoice.objects.update_or_create(
        shop=shop, origin=origin, defaults={"points": points, "chosen_at": timezone.now()}
    )


def chosen_points(*, shop: str, origin: str) -> Points:
    """Return how many points a basket is to use; one query, once for a request."""
    rows = PointsChoice.objects.filter(shop=shop, origin=origin)
    read = rows.values_list("points", flat=True).first
    return once_per_request(("points choice", shop, origin), lambda: Points(read() or 0))
