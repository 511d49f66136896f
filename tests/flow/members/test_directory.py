"""Members by name, e-mail address or pk, also with a user model of the shop's own."""

from typing import Any

import pytest

from loyalink_khalti import flow
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account

pytestmark = pytest.mark.django_db


def test_a_user_model_whose_full_name_is_none_has_no_name(
    django_user_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = django_user_model.objects.create_user(username="sita", email="sita@example.com")
    monkeypatch.setattr(django_user_model, "get_full_name", lambda _self: None)
    ledger.adjust(site_key="default", member_id=str(user.pk), points=10, key="k", reason="x")

    flow.index_members()

    assert str(flow.contacts([str(user.pk)])[str(user.pk)]) == "sita@example.com"
    assert "none" not in (Account.objects.get().search_text or "").casefold()
