"""The keys of Wagtail's sites, under which their payments, points and secret keys are stored.

A site gets its key when it is created and keeps it, whatever an editor renames or makes the default. There is no
foreign key to Wagtail's table: a key stays when its site is deleted.
"""

from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from django.apps import apps
from django.db import models
from django.http import HttpRequest
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


def site_key(request: HttpRequest | None = None) -> str:
    """Return the key of the site of a request; of None, the key of Wagtail's default site.

    It is read once for a request.
    """
    if request is None:
        return site_key_of(_sites().filter(is_default_site=True).first())
    known: str | None = getattr(request, "_loyalink_site_key", None)
    if known is None:
        sites: Any = apps.get_model("wagtailcore", "Site")
        known = site_key_of(sites.find_for_request(request))
        request._loyalink_site_key = known  # type: ignore[attr-defined]  # as Wagtail's request._wagtail_site
    return known


def site_key_of(site: Any) -> str:
    """Return the key of a Wagtail Site, a new one for a new site; ``default`` for None."""
    return DEFAULT_SITE if site is None else site_keys([site])[site.pk]


def site_keys(sites: Iterable[Any]) -> dict[int, str]:
    """Return the keys of Wagtail Sites by their primary keys; one query, and one more for each new site."""
    wanted = {site.pk: site for site in sites}
    found: dict[int, str] = {}
    for row in SiteKey.objects.filter(site_pk__in=wanted).only("site_pk", "key"):
        found[row.site_pk or 0] = row.key
    for pk in wanted.keys() - found.keys():
        new = {"key": str(uuid4()), "name": wanted[pk].hostname}
        found[pk] = SiteKey.objects.get_or_create(site_pk=pk, defaults=new)[0].key
    return found


def deleted_sites() -> dict[str, str]:
    """Return the host names of deleted sites by their keys."""
    living = SiteKey.objects.exclude(site_pk=None).values("key")
    gone = SiteKey.objects.filter(site_pk=None).exclude(key__in=living).order_by("pk")
    return dict(gone.values_list("key", "name"))


def site_was_saved(instance: Any, *, created: bool, raw: bool = False, **_signal: Any) -> None:
    """Give a new site its key. A fixture (``raw``) may have one for it in a later row."""
    if created and not raw:
        site_key_of(instance)


def site_was_deleted(instance: Any, **_signal: Any) -> None:
    """Keep the key of a deleted site, with its name. No other site gets the key, not even one of the same name."""
    SiteKey.objects.filter(site_pk=instance.pk).update(site_pk=None, name=instance.hostname)


def find_site(site_key: str) -> Any:
    """Return the Wagtail Site of a key; of a deleted site, Wagtail's default site. None where there is neither."""
    living = _sites().filter(pk__in=_pks(site_key)).order_by("pk").first()
    return living or _sites().filter(is_default_site=True).first()


def settings_of(model: str, site_key: str) -> Any:
    """Return what editors have saved for a site in one of the models of settings, or None."""
    return apps.get_model("loyalink_khalti", model).objects.filter(site_id__in=_pks(site_key)).first()


def is_deleted(site_key: str) -> bool:
    """Whether there was a site with this key, and none has it any more."""
    pks = list(SiteKey.objects.filter(key=site_key).values_list("site_pk", flat=True))
    return bool(pks) and not any(pks)


def _pks(site_key: str) -> Any:
    return SiteKey.objects.filter(key=site_key, site_pk__isnull=False).values("site_pk")


def _sites() -> Any:
    return apps.get_model("wagtailcore", "Site").objects
