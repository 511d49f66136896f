"""The accounts of the demo store: three customers with addresses and points, and three members of staff."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, Permission
from django.db.models import Q
from oscar.core.loading import get_model
from wagtail.models import Collection, GroupCollectionPermission, GroupPagePermission, Page

from loyalink_khalti import conf
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.staff import permissions

PASSWORD = "saraswati-demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """A member with an address; ``points`` is the opening balance."""

    first_name: str
    last_name: str
    line1: str
    line2: str
    line4: str
    state: str
    postcode: str
    phone: str
    points: int = 0

    @property
    def email(self) -> str:
        return f"{self.first_name.lower()}@example.com"


CUSTOMERS = (
    Customer(
        first_name="Sita",
        last_name="Maharjan",
        line1="Patko Tole 12",
        line2="Behind the Krishna temple",
        line4="Lalitpur",
        state="Lalitpur",
        postcode="44700",
        phone="+9779841000001",
        points=1200,
    ),
    Customer(
        first_name="Ram",
        last_name="Shrestha",
        line1="Lakeside, Street 14",
        line2="Opposite the fish tail gate",
        line4="Pokhara",
        state="Kaski",
        postcode="33700",
        phone="+9779841000002",
        points=300,
    ),
    Customer(
        first_name="Gita",
        last_name="Tamang",
        line1="Baneshwor Height 5",
        line2="Near the school",
        line4="Kathmandu",
        state="Kathmandu",
        postcode="44600",
        phone="+9779841000003",
    ),
)


def load() -> None:
    """Create the accounts, all with the same password."""
    password = make_password(PASSWORD)  # hashing is slow by design: once for all accounts
    for customer in CUSTOMERS:
        _add_customer(customer, password)
    staff = {"password": password, "is_staff": True}
    User = get_user_model()
    editor = User.objects.create(
        username="editor", email="editor@example.com", first_name="Maya", last_name="Lama", **staff
    )
    editor.groups.add(_shopkeepers(), _group(permissions.EDITORS))
    accountant = User.objects.create(
        username="accountant", email="accountant@example.com", first_name="Bina", last_name="Rai", **staff
    )
    accountant.groups.add(_group(permissions.ACCOUNTANTS))
    User.objects.create(
        username="admin", email="admin@example.com", first_name="Hari", last_name="Joshi", is_superuser=True, **staff
    )


def add_opening_points() -> None:
    """Add the customers' opening points, once, through the ledger."""
    for customer in CUSTOMERS:
        if customer.points:
            user = get_user_model().objects.get(email=customer.email)
            ledger.adjust(
                site_key=conf.site_key(),
                member_id=str(user.pk),
                points=customer.points,
                key=f"opening:{customer.email}",
                reason="opening balance",
            )


def _add_customer(customer: Customer, password: str) -> None:
    user = get_user_model().objects.create(
        username=customer.first_name.lower(),
        email=customer.email,
        first_name=customer.first_name,
        last_name=customer.last_name,
        password=password,
    )
    get_model("address", "UserAddress").objects.create(
        user=user,
        first_name=customer.first_name,
        last_name=customer.last_name,
        line1=customer.line1,
        line2=customer.line2,
        line4=customer.line4,
        state=customer.state,
        postcode=customer.postcode,
        phone_number=customer.phone,
        country_id="NP",
        is_default_for_shipping=True,
        is_default_for_billing=True,
    )


def _shopkeepers() -> Any:
    """Return the group that edits pages and Oscar's orders; payments and points belong to the shop editors."""
    group = _group("Shopkeepers")
    orders = Q(content_type__app_label="order") & ~Q(codename__startswith="delete_")
    group.permissions.set(Permission.objects.filter(orders | Q(codename="access_admin")))
    root = Page.get_first_root_node()
    for codename in ("add_page", "change_page", "publish_page"):
        GroupPagePermission.objects.create(group=group, page=root, permission=_permission(codename))
    pictures = Collection.get_first_root_node()
    for codename in ("add_image", "change_image", "choose_image"):
        GroupCollectionPermission.objects.create(group=group, collection=pictures, permission=_permission(codename))
    return group


def _group(name: str) -> Group:
    """Return the group ``name``, created by a migration or here."""
    return Group.objects.get_or_create(name=name)[0]


def _permission(codename: str) -> Permission:
    return Permission.objects.get(codename=codename, content_type__app_label__in=["wagtailcore", "wagtailimages"])
