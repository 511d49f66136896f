"""Settings → Shop details and e-mails: what editors may set about their shop, and what is refused."""

from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image
from wagtail.models import Site

from loyalink_khalti import conf
from loyalink_khalti.backoffice.models import ShopDetails
from tests.backoffice.staff import Desk, staff_user

pytestmark = pytest.mark.django_db

FORM = {"shop_name": "Saraswati Books", "transfer_days": "3"}


@pytest.fixture
def media(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def save(**values: Any) -> Any:
    editor = Desk(staff_user("gita", is_superuser=True))
    url = reverse("wagtailsettings:edit", args=("loyalink_khalti", "shopdetails", Site.objects.get().pk))
    assert editor.client.get(url).status_code == 200
    return editor.client.post(url, FORM | values, follow=True)


def picture(kind: str, name: str) -> SimpleUploadedFile:
    file = BytesIO()
    Image.new("RGB", (120, 60), "purple").save(file, kind)
    return SimpleUploadedFile(name, file.getvalue(), content_type=f"image/{kind.lower()}")


def test_an_editor_names_the_shop_and_gives_it_a_logo_and_a_colour(media: None) -> None:
    save(logo=picture("PNG", "logo.png"), colour="#5C2D91", phone="01-4441234")

    details = conf.shop_details("default")
    assert (details.shop_name, details.colour, details.phone) == ("Saraswati Books", "#5c2d91", "01-4441234")
    assert details.logo_url.endswith(".png")
    assert (details.logo_width, details.logo_height) == (120, 60)


def test_what_customers_could_not_read_or_see_is_refused(media: None) -> None:
    response = save(colour="#ffee88", logo=picture("GIF", "logo.gif"), registration_kind="pan")

    assert set(response.context["form"].errors) == {"colour", "logo", "registration_number"}
    assert not ShopDetails.objects.filter(shop_name="Saraswati Books").exists()
