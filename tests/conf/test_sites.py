"""A site's key, its address and the server that it uses."""

import pytest
from django.test import RequestFactory
from wagtail.models import Site

from loyalink_khalti import conf


def test_without_a_base_url_the_editors_environment_decides_the_server(deployment):
    assert conf.base_url(conf.TEST) == "https://dev.khalti.com/api/v2/"
    assert conf.base_url(conf.LIVE) == "https://khalti.com/api/v2/"
    assert not conf.is_simulated()


@pytest.mark.parametrize(
    ("url", "simulated"),
    [
        ("http://127.0.0.1:9911/api/v2/", True),
        ("https://khalti.com.example/api/v2/", True),
        ("https://dev.khalti.com/api/v2/", False),
    ],
)
def test_a_server_that_is_not_khaltis_is_simulated(deployment, url, simulated):
    deployment(KHALTI_BASE_URL=url)

    assert conf.is_simulated() is simulated


@pytest.mark.django_db
def test_the_key_of_a_site_is_default_or_its_host_name():
    default = Site.objects.get(is_default_site=True)
    other = Site.objects.create(hostname="books.example", root_page=default.root_page)

    assert conf.site_key_of(default) == "default"
    assert conf.site_key_of(other) == "books.example"
    assert conf.site_key(RequestFactory().get("/", headers={"host": "books.example"})) == "books.example"
    assert conf.site_key(None) == "default"
