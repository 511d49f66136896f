"""The template tags and StreamField blocks that show points on any page, for guests and members."""

import re
from fractions import Fraction
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError
from django.template import Context, Template
from django.test import RequestFactory
from wagtail.models import Site

from loyalink_khalti import blocks, conf, flow
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.rules import Rules, Tier
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.testing import FakeShop
from tests.statements import sent_statements

pytestmark = [pytest.mark.django_db, pytest.mark.money]
TIERS = (
    Tier(name="Silver", threshold=Points(0)),
    Tier(name="Gold", threshold=Points(500), multiplier=Fraction(3, 2)),
)


@pytest.fixture
def sita(shop: FakeShop, django_user_model: Any) -> Any:
    """A member with 1,200 points."""
    user = django_user_model.objects.create(username="sita", email="sita@example.com")
    ledger.adjust(site_key="default", member_id=str(user.pk), points=1200, key="k", reason="goodwill")
    return user


def request_of(user: Any) -> Any:
    request = RequestFactory().get("/")
    request.user = user or AnonymousUser()
    return request


def shown(tag: str, user: Any = None, **context: Any) -> str:
    template = Template("{% load loyalink_khalti %}" + tag)
    return text(template.render(Context({"request": request_of(user), **context})))


def text(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).replace(" .", ".").strip()


def test_a_price_says_what_it_earns(sita: Any) -> None:
    ledger.set_rules("default", Rules(tiers=TIERS, excluded_tags=("own:12",)))
    Account.objects.update(tier="Gold")

    assert shown("{% points_to_earn 199900 %}") == "A member would earn 199 points"
    assert shown("{% points_to_earn 199900 %}", sita) == "Earn 298 points"
    assert shown('{% points_to_earn 199900 tags="own:7,own:12" %}', sita) == ""
    assert shown("{% points_to_earn nothing_here %}", sita) == ""


def test_a_quote_says_what_the_order_earns(sita: Any) -> None:
    ledger.set_rules("default", Rules(first_order_bonus=Points(50)))
    line = flow_line(100_000)

    def quote(member_id: str | None) -> flow.Quote:
        return flow.quote(
            site_key="default", member_id=member_id, subtotal=Paisa(100_000), shipping=Paisa(0), lines=[line]
        )

    tag = '{% points_to_earn quote login_url="/login/" %}'
    assert shown(tag, sita, quote=quote(str(sita.pk))) == "This order earns you 150 points."
    assert shown(tag, quote=quote(None)) == "A member would earn 150 points with this order. Log in"


def flow_line(amount: int) -> Any:
    from loyalink_khalti.ports import Line

    return Line(sku="pen", title="Pen", quantity=1, unit=Paisa(amount), total=Paisa(amount))


def test_the_balance_is_shown_with_its_worth_to_members_alone(sita: Any) -> None:
    assert shown("{% points_balance %}", sita) == "You have 1,200 points = Rs 120"
    assert shown('{% points_balance short=True url="/points/" %}', sita) == "1,200 points = Rs 120"
    assert shown("{% points_balance %}") == ""
    Account.objects.update(blocked=True)
    assert shown("{% points_balance %}", sita) == "Your points are blocked."


def test_who_has_left_sees_what_a_member_would_earn_and_no_balance(sita: Any) -> None:
    flow.leave_program(site_key="default", member_id=str(sita.pk))

    assert shown("{% points_to_earn 199900 %}", sita) == "A member would earn 199 points"
    assert shown("{% points_balance %}", sita) == ""


def test_points_that_have_expired_are_not_in_the_balance(sita: Any) -> None:
    from loyalink_khalti.loyalty.models import Lot

    Lot.objects.update(expires_at="2020-01-01T00:00Z")

    assert shown("{% points_balance %}", sita) == "You have 0 points = Rs 0"


def test_tiers_say_what_each_gives_and_mark_the_members_own(sita: Any) -> None:
    ledger.set_rules("default", Rules(tiers=TIERS))
    Account.objects.update(tier="Gold")

    assert shown("{% tiers %}", sita) == (
        "Silver From the start Rs 1,000 of products earn 100 points "
        "Gold Your tier From 500 points earned 1.5 times the points Rs 1,000 of products earn 150 points"
    )
    assert "Your tier" not in shown("{% tiers %}")


def test_the_terms_stand_on_a_page_under_headings_of_its_level(sita: Any) -> None:
    html = Template("{% load loyalink_khalti %}{% program_terms level=3 %}").render(
        Context({"request": request_of(None)})
    )

    assert "<h3>How you earn points</h3>" in html
    assert "<li>You earn 1 point for every Rs 10 of products.</li>" in html
    assert re.search(r"Version 1, valid since \d", text(html))


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (blocks.ProgramTermsBlock(), "Our points How you earn points You earn 1 point"),
        (blocks.TiersBlock(), "Our points Silver Your tier From the start Gold From 500"),
        (blocks.PointsBalanceBlock(), "Our points You have 1,200 points = Rs 120"),
        (blocks.PointsToEarnBlock(), "Our points Products for Rs 1,000: Earn 100 points"),
    ],
)
def test_an_editor_puts_them_on_any_page(sita: Any, block: Any, said: str) -> None:
    value = block.to_python({"heading": "Our points"})

    html = block.render(value, {"request": request_of(sita)})

    assert text(html).startswith(said)
    assert block.deconstruct()[1:] == ([], {})


def test_a_page_is_shown_without_points_where_they_cannot_be_read(
    sita: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_args: Any, **_kwargs: Any) -> Any:
        raise DatabaseError("gone")

    monkeypatch.setattr(ledger, "standing", fail)

    assert shown('{% points_to_earn 199900 %}{% points_balance url="/points/" %}|', sita) == "|"
    assert "a page shows no points: gone" in caplog.text


def test_a_members_balance_and_rules_are_one_statement(sita: Any) -> None:
    ledger.current_version("default")

    with sent_statements() as sent:
        who = ledger.standing("default", str(sita.pk))

    assert (who.points, who.value) == (Points(1200), Paisa(12_000))
    of_version = [each for each in sent if each.endswith("LIMIT 21")]  # kept by the process once it is committed
    assert len(sent) - len(of_version) == 1


def test_the_site_of_a_page_is_read_once_in_a_while_and_again_when_a_site_changes(sita: Any) -> None:
    key = conf.shown_site_key(request_of(None))
    with sent_statements() as sent:
        again = conf.shown_site_key(request_of(None))
    site = Site.objects.create(hostname="testserver", root_page=Site.objects.get(is_default_site=True).root_page)

    assert (again, sent) == (key, [])
    assert conf.shown_site_key(request_of(None)) == conf.site_key_of(site) != key
