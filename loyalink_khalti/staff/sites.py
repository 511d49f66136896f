"""Wagtail's sites, by the site key under which their payments and points are stored."""

from django.utils.translation import gettext as _
from wagtail.models import Site

from loyalink_khalti import conf
from loyalink_khalti.conf.sites import SiteKey


def has_several_sites() -> bool:
    """Return whether there is more than one site; Wagtail caches it, so that no list queries the database."""
    return len({path.site_id for path in Site.get_site_root_paths()}) > 1


def site_names() -> dict[str, str]:
    """Return the name of each site by its key, also of deleted sites."""
    return dict(site_choices())


def site_choices() -> list[tuple[str, str]]:
    """Return each site's key and name, the default site first and deleted sites last; two queries."""
    rows = list(SiteKey.objects.order_by("pk"))
    keys = {row.site_pk: row.key for row in rows if row.site_pk is not None}
    sites = Site.objects.order_by("-is_default_site", "site_name", "hostname")
    choices = [(keys.get(site.pk) or conf.site_key_of(site), site.site_name or site.hostname) for site in sites]
    deleted = {row.key: row.name for row in rows if row.site_pk is None and row.key not in keys.values()}
    return [*choices, *((key, _("%(site)s (deleted)") % {"site": name}) for key, name in deleted.items())]
