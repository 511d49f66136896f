"""The keys of Wagtail's sites, under which their payments, points and secret keys are stored.

A site gets its key when it is created and keeps it, whatever an editor renames or makes the default. There is no
foreign key to Wagtail's table: a key stays when its site is deleted.
"""

from typing import Any
from uuid import uuid4

from django.apps import apps
from django.db import models
from django.utils import timezone

DEFAULT_SITE = "default"
"""The key of the site that was Wagtail's default when keys were introduced; also where there is no site at all."""


class SiteKey(models.Model):
    """The key of one site. ``site_pk`` is null once the site is deleted; ``name`` is its host name of then.

    Of the sites that an earlier version knew by their host name, those with the same name share one key.
    """

    key = models.CharField(max_length=255, db_index=True)
    site_pk = models.BigIntegerField(null=True, blank=True, unique=True)
    name = models.CharField(max_length=255)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.name} · {self.key}"


def add_key(site: Any) -> str:
    """Return the key of a Wagtail Site, a new one if it has none."""
    new = {"key": str(uuid4()), "name": site.hostname}
    return SiteKey.objects.get_or_create(site_pk=site.pk, defaults=new)[0].key


def deleted_sites() -> dict[str, str]:
    """Return the host names of deleted sites by their keys."""
    living = SiteKey.objects.exclude(site_pk=None).values("key")
    gone = SiteKey.objects.filter(site_pk=None).exclude(key__in=living).order_by("pk")
    return dict(gone.values_list("key", "name"))


def site_was_saved(instance: Any, *, created: bool, raw: bool = False, **_signal: Any) -> None:
    """Give a new site its key. A fixture (``raw``) may have one for it in a later row."""
    if created and not raw:
        add_key(instance)


def site_was_deleted(instance: Any, **_signal: Any) -> None:
    """Keep the key of a deleted site, with its name. No other site gets the key, not even one of the same name."""
    SiteKey.objects.filter(site_pk=instance.pk).update(site_pk=None, name=instance.hostname)


def find_site(site_key: str) -> Any:
    """Return the Wagtail Site of a key; of a deleted site, Wagtail's default site. None where there is neither."""
    sites = apps.get_model("wagtailcore", "Site").objects
    pks = SiteKey.objects.filter(key=site_key, site_pk__isnull=False).values("site_pk")
    return sites.filter(pk__in=pks).order_by("pk").first() or sites.filter(is_default_site=True).first()


def is_deleted(site_key: str) -> bool:
    """Whether there was a site with this key, and none has it any more."""
    pks = list(SiteKey.objects.filter(key=site_key).values_list("site_pk", flat=True))
    return bool(pks) and not any(pks)
