"""The sites of this Wagtail by the text under which their payments and points are kept."""

from wagtail.models import Site

from loyalink_khalti import conf


def has_several() -> bool:
    """Whether there is more than one; Wagtail remembers it, so that no list asks the database."""
    return len({path.site_id for path in Site.get_site_root_paths()}) > 1


def site_names() -> dict[str, str]:
    """What editors call each site, by its key; a site that is no more has its key alone."""
    return dict(site_choices())


def site_choices() -> list[tuple[str, str]]:
    """Each site's key and its name, the default one first."""
    sites = Site.objects.order_by("-is_default_site", "site_name", "hostname")
    return [(conf.key_of_site(site), site.site_name or site.hostname) for site in sites]
