"""M11: commands name a site by its host name or its key, and never take one site for another."""

import pytest
from django.core.management import CommandError
from wagtail.models import Site

from loyalink_khalti import conf
from loyalink_khalti.conf.sites import SiteKey
from loyalink_khalti.management import naming

pytestmark = pytest.mark.django_db


@pytest.fixture
def books() -> Site:
    """A site whose key is the host name that it had in an earlier version."""
    root = Site.objects.get(is_default_site=True).root_page
    site = Site.objects.create(hostname="kitab.example", root_page=root)
    SiteKey.objects.filter(site_pk=site.pk).update(key="books.example")
    return site


def test_a_site_is_named_by_its_host_name_or_its_key(books: Site) -> None:
    assert naming.site(naming.DEFAULT) == naming.site("default") == naming.site("localhost") == "default"
    for name in ("kitab.example", "kitab.example:80", "books.example"):
        assert naming.site(name) == "books.example"


def test_a_deleted_site_is_named_by_its_key(books: Site) -> None:
    books.delete()

    assert naming.site("books.example") == "books.example"
    with pytest.raises(CommandError, match=r"There is no site 'kitab.example'. There are: .*, key books.example"):
        naming.site("kitab.example")


def test_a_name_that_could_be_two_sites_is_refused(books: Site) -> None:
    """M11"""
    new = Site.objects.create(hostname="books.example", root_page=books.root_page)

    with pytest.raises(CommandError, match=r"'books\.example' can be 2 sites"):
        naming.site("books.example")
    assert naming.site("books.example:80") == conf.site_key_of(new)
    assert naming.site("kitab.example") == "books.example"


def test_default_is_refused_once_another_site_is_the_default(books: Site) -> None:
    """M11"""
    Site.objects.update(is_default_site=False)
    Site.objects.filter(pk=books.pk).update(is_default_site=True)

    with pytest.raises(CommandError, match="'default' can be 2 sites"):
        naming.site("default")
    assert naming.site(naming.DEFAULT) == "books.example"
    assert naming.site("localhost") == "default"
