"""Money and points are changed by recorded actions, never by editing a row."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import NoReverseMatch, reverse
from wagtail.snippets.models import get_snippet_models

OURS = list(apps.get_app_config("loyalink_khalti").get_models())


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_no_back_office_edits_the_rows_of_a_model(model: type) -> None:
    """K09: neither Django's admin nor Wagtail's snippets."""
    assert not admin.site.is_registered(model)
    assert model not in get_snippet_models()


@pytest.mark.django_db
def test_a_superuser_has_no_page_that_edits_a_payment(client: Client) -> None:
    """K09"""
    superuser = get_user_model().objects.create_superuser(
        username="superuser", email="superuser@example.com", password="x"
    )
    client.force_login(superuser)

    page = client.get("/django-admin/")

    assert page.status_code == 200
    assert "loyalink_khalti/payment" not in page.content.decode()
    with pytest.raises(NoReverseMatch):
        reverse("admin:loyalink_khalti_payment_changelist")
