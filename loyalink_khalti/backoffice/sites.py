"""Wagtail's sites, by the site key under which their payments and points are stored."""

from wagtail.models import Site

from loyalink_khalti import conf


def has_several_sites() -> bool:
    """Return whether there is more than one site; Wagtail caches it, so that no list queries the database."""
    return len({path.site_id for path in Site.get_site_root_paths()}) > 1


def site_names() -> dict[str, str]:
    """Return the name of each site by its key; a deleted site has no entry."""
    return dict(site_choices())


def site_choices() -> list[tuple[str, str]]:
    """Return each site's key and name, the default site first."""
    sites = Site.objects.order_by("-is_default_site", "site_name", "hostname")
    return [(conf.site_key_of(site), site.site_name or site.hostname) for site in sites]
