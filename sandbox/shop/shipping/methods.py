"""The three delivery methods."""

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy
from oscar.apps.shipping.methods import *  # noqa: F403
from oscar.apps.shipping.methods import FixedPrice, Free

_: Any = gettext_lazy  # Oscar's types say str


class Standard(Free):
    code = "standard"
    name = _("Standard delivery")
    description = _("Three to five days inside the Valley, about a week outside it.")


class Express(FixedPrice):
    code = "express"
    name = _("Express delivery")
    description = _("By motorbike, the next working day inside the Ring Road.")
    charge_excl_tax = Decimal("150.00")
    charge_incl_tax = Decimal("150.00")


class Pickup(Free):
    code = "pickup"
    name = _("Pick up in Asan, Kathmandu")
    description = _("Ready two hours after your order, Sunday to Friday, 10 am to 7 pm.")
