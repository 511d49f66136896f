"""The settings of pages that sell: what would fail at a checkout is refused at its field."""

from typing import Any

import pytest
from django.http import QueryDict
from django.urls import reverse
from wagtail.test.utils.form_data import nested_form_data, streamfield

from loyalink_khalti.hosts.page.models import PageShopSettings
from loyalink_khalti.hosts.page.site_settings import delivery_options, payment_methods
from tests.backoffice.pages import page_text
from tests.backoffice.staff import Desk
from tests.hosts.page.conftest import TeaHouse

pytestmark = pytest.mark.django_db


def test_an_editor_sets_up_payment_and_mistakes_are_shown(desk: Desk, house: TeaHouse) -> None:
    url = reverse("wagtailsettings:edit", args=("loyalink_khalti_page", "pageshopsettings", house.site.pk))
    assert "Cash on delivery" in page_text(desk.client.get(url))

    def form(**changes: Any) -> Any:
        """The form as it was opened, with changes; with ``delivery`` as the charge of the only option."""
        option = {"title": "Courier", "text": "", "charge": changes.pop("delivery", "150"), "needs_address": True}
        fields = {"shop_name": "Tea House", "order_prefix": "TH-", "bank_transfer_text": "", "cod_text": ""}
        fields |= {"mail_footer": "", "delivery_options": streamfield([("option", option)])}
        data = QueryDict(mutable=True)
        data.update(nested_form_data(fields))
        for name, value in changes.items():
            data.setlist(name, value if isinstance(value, list) else [value])
        settings = PageShopSettings.objects.get(site=house.site)
        return PageShopSettings.edit_handler.bind_to_model(PageShopSettings).get_form_class()(data, instance=settings)

    deployed = ["khalti", "cod", "bank_transfer"]
    assert form().initial["methods"] == deployed  # while the site has chosen none

    wrong: dict[str, dict[str, Any]] = {
        "bank_transfer_text": {"methods": ["khalti", "bank_transfer"]},
        "methods": {"methods": []},
        "order_prefix": {"methods": ["khalti"], "order_prefix": "Trek/1"},
        "delivery_options": {"methods": ["khalti"], "delivery": "-1"},
    }
    for field, changes in wrong.items():
        assert list(form(**changes).errors) == [field], field

    account = "Nabil Bank 01-234"
    changed = form(methods=["bank_transfer", "khalti"], bank_transfer_text=account, delivery="Rs 1,200")
    changed.is_valid()
    settings = changed.save()
    assert settings.methods == ["bank_transfer", "khalti"]
    assert payment_methods(settings).method("bank_transfer").text == account
    assert [option.charge for option in delivery_options(settings)] == [120_000]
    unchosen = form(methods=deployed, bank_transfer_text=account)
    unchosen.is_valid()
    assert unchosen.save().methods == []
