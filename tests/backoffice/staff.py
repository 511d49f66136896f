"""Staff of a shop by what they may do, and a browser that is logged in as one of them."""

from typing import Any

from bs4 import BeautifulSoup
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

from loyalink_khalti.payments.models import Payment


def staff_user(name: str, *permissions: str, group: str = "", is_superuser: bool = False) -> User:
    """Create a user who may enter Wagtail's admin, with a group or with single permissions of ours."""
    user = User.objects.create(
        username=name, email=f"{name}@example.com", is_staff=True, is_superuser=is_superuser, first_name=name.title()
    )
    user.user_permissions.set(Permission.objects.filter(codename__in=["access_admin", *permissions]))
    if group:
        user.groups.add(Group.objects.get(name=group))
    return user


def editor(name: str = "maya") -> User:
    return staff_user(name, group="Shop editors")


def accountant(name: str = "bina") -> User:
    return staff_user(name, group="Shop accountants")


class Desk:
    """A browser in Wagtail's admin, logged in as a user."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.client = Client()
        self.client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")

    def open(self, name: str, *args: Any, status: int = 200, **query: Any) -> BeautifulSoup:
        response = self.client.get(reverse(name, args=args), query)
        assert response.status_code == status, response.status_code
        return BeautifulSoup(response.content, "html.parser")

    def post(self, name: str, *args: Any, status: int = 200, **data: Any) -> BeautifulSoup:
        """Submit a form and follow redirects."""
        response = self.client.post(reverse(name, args=args), data, follow=True)
        assert response.status_code == status, response.status_code
        return BeautifulSoup(response.content, "html.parser")

    def page(self, payment: Payment) -> BeautifulSoup:
        return self.open("loyalink_khalti_payment", payment.pk)
