"""Who works in a shop, by what they may do."""

from django.contrib.auth.models import Group, Permission, User


def worker(name: str, *permissions: str, group: str = "", is_superuser: bool = False) -> User:
    """Somebody of the staff who may enter Wagtail's admin, with a group or with single permissions of ours."""
    user = User.objects.create(
        username=name, email=f"{name}@example.com", is_staff=True, is_superuser=is_superuser, first_name=name.title()
    )
    user.user_permissions.set(Permission.objects.filter(codename__in=["access_admin", *permissions]))
    if group:
        user.groups.add(Group.objects.get(name=group))
    return user


def editor(name: str = "maya") -> User:
    return worker(name, group="Shop editors")


def accountant(name: str = "bina") -> User:
    return worker(name, group="Shop accountants")
