"""M11: after the migration every site has the key under which its rows are stored."""

from typing import Any

import pytest
from wagtail.models import Site

from loyalink_khalti import conf
from loyalink_khalti.loyalty import ledger
from tests.migrating import migrate, migrate_to_before

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_sites_keep_the_points_that_were_stored_under_their_names() -> None:
    """M11"""
    default = Site.objects.get(is_default_site=True)
    names = ("books.example", 80), ("twin.example", 80), ("twin.example", 8080), ("empty.example", 80)
    books, twin, other_twin, empty = (
        Site.objects.create(hostname=host, port=port, root_page=default.root_page) for host, port in names
    )
    models: Any = migrate_to_before("site_keys")
    for number, key in enumerate(("default", "books.example", "twin.example", "gone.example"), 1):
        program = models.get_model("loyalink_khalti", "Program").objects.create(site_key=key)
        models.get_model("loyalink_khalti", "Account").objects.create(
            program=program, member_id="7", available=number * 100
        )

    migrate()
    Site.objects.filter(pk=books.pk).update(hostname="kitab.example")
    gone = Site.objects.create(hostname="gone.example", root_page=default.root_page)

    found = {}
    for site in (default, books, twin, other_twin, empty, gone):
        account = ledger.find_account(conf.site_key_of(site), "7")
        found[site.pk] = account and account.available
    assert found == {
        default.pk: 100, books.pk: 200, twin.pk: 300, other_twin.pk: 300, empty.pk: None, gone.pk: None,
    }  # fmt: skip
    assert conf.site_key_of(default) == "default"
    assert conf.deleted_sites() == {"gone.example": "gone.example"}
