"""What is known of the shop itself: as editors set it, else as the site or the deployment is named."""

from base64 import b64decode
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import override_settings
from django.utils import translation
from wagtail.models import Site

from loyalink_khalti import conf
from loyalink_khalti.backoffice.models import ShopDetails

pytestmark = pytest.mark.django_db

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
Deploy = Callable[..., None]


@pytest.fixture
def site(deploy: Deploy) -> Site:
    deploy(SITE_URL="https://pasal.example/books")
    default: Site = Site.objects.get(is_default_site=True)
    return default


def test_a_shop_is_named_as_its_editors_say_else_as_its_site_else_as_its_deployment(site: Site) -> None:
    with override_settings(OSCAR_SHOP_NAME="Pasal of the deployment"):
        site.site_name = ""
        site.save()
        assert conf.shop_details("default").shop_name in {"Pasal of the deployment", "pasal.example"}

        site.site_name = "Pasal"
        site.save()
        assert conf.shop_details("default").shop_name == "Pasal"

        ShopDetails.objects.create(site=site, shop_name="Saraswati Books")
        assert conf.shop_details("default").shop_name == "Saraswati Books"


def test_the_details_of_a_site_are_read_once_and_again_when_an_editor_saves(
    site: Site, django_assert_num_queries: Any
) -> None:
    saved = ShopDetails.objects.create(site=site, bank_details="Nabil Bank\n0110017501234", transfer_days=5)
    first = conf.shop_details("default")
    with django_assert_num_queries(0):
        assert conf.shop_details("default") == first

    saved.bank_details = "NIC Asia\n42"
    saved.save()

    assert (first.bank_details, first.transfer_days) == ("Nabil Bank\n0110017501234", 5)
    assert conf.shop_details("default").bank_details == "NIC Asia\n42"


def test_the_logo_has_an_address_that_an_email_can_load(site: Site, settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT, settings.MEDIA_URL = tmp_path, "/media/"
    logo = ContentFile(b64decode(PNG), name="a.png")
    ShopDetails.objects.create(site=site, logo=logo)

    details = conf.shop_details("default")

    assert details.logo_url == "https://pasal.example/media/loyalink_khalti/logo/a.png"
    assert (details.logo_width, details.logo_height) == (1, 1)


def test_a_tax_number_has_its_label(site: Site) -> None:
    ShopDetails.objects.create(site=site, registration_kind="pan", registration_number="601234567")

    with translation.override("en"):
        assert conf.shop_details("default").registration_label == "PAN"
