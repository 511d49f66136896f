"""The page of the loyalty settings: the rules in the order of the sentences that tell them."""

from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel, MultiFieldPanel

from .example import WithExample
from .limits import Limit
from .rules_form import LoyaltySettingsForm
from .sentence import Rows, Sentence

EARNING = MultiFieldPanel(
    [
        Sentence(_("Customers earn {points} points for every Rs {per} of goods.")),
        Sentence(_("Points are counted {stepwise}, and a fraction of a point {rounding}.")),
        Sentence(_("Orders of goods below Rs {minimum_order} earn nothing."), help_text=_("0: every order earns.")),
        Sentence(_("One order earns at most {most_earned} points.")),
        Sentence(_("The first order gives {first_order_bonus} points more, and signing up {sign_up_bonus} points.")),
        Sentence(
            _("Of the prices, {vat_percent} % value-added tax earns nothing."),
            help_text=_("Where prices include VAT and points are to be given without it: 13. Otherwise 0."),
        ),
        Sentence(_("{earn_on_shipping} Delivery earns points, too.")),
        Sentence(_("{earn_before_discounts} Points are counted on the price before offers and coupons.")),
        Sentence(_("{earn_on_points} What is paid with points earns points, too.")),
    ],
    heading=_("Earning"),
    icon="plus-inverse",
)
CATEGORIES = MultiFieldPanel(
    [
        Rows(
            "boosts",
            _("{tag} earns {factor} times the points. {DELETE} Remove"),
            add=_("Another category"),
            help_text=_("Where several multipliers hold for the same goods, a campaign's too, the highest counts."),
        ),
        Sentence(_("These categories earn nothing: {excluded_tags}")),
    ],
    heading=_("Categories"),
    icon="folder-open-inverse",
)
REDEEMING = MultiFieldPanel(
    [
        Sentence(_("{redeem_points} points are worth Rs {redeem_value}.")),
        Sentence(_("They are spent in steps of {step}, from {least_spent} points on.")),
        Sentence(
            _("One order takes at most {most_spent} points, and of what it costs they pay at most {most_percent} %."),
            help_text=_("What is left to pay by Khalti is nothing, or at least Rs 10."),
        ),
    ],
    heading=_("Spending"),
    icon="tag",
)
EXPIRY = MultiFieldPanel(
    [
        Sentence(
            _("Points can be spent {waiting_days} days after the order."),
            help_text=_("0: at once. As long as goods may be returned is a good choice."),
        ),
        Sentence(
            _("From then on they are valid for {valid_months} months, {month_end}."),
            help_text=_("Empty: they never expire. The days are those of Nepal."),
        ),
        Sentence(_("Members are told {notice_days} days before points expire."), help_text=_("0: they are not told.")),
    ],
    heading=_("Waiting and expiry"),
    icon="calendar-alt",
)
TIERS = MultiFieldPanel(
    [
        Rows(
            "tiers",
            _("{name} from {threshold} points on: {multiplier} times the points. {DELETE} Remove"),
            add=_("Another level"),
            help_text=_("From the lowest, at 0 points, to the highest."),
        ),
        Sentence(_("What counts is {tier_basis}.")),
        Sentence(
            _("Who has too few points for a level keeps it for {tier_grace_days} days more."),
            help_text=_("A level is reached at once."),
        ),
    ],
    heading=_("Levels"),
    icon="list-ol",
)
REFUNDS = MultiFieldPanel(
    [
        Sentence(
            _("Where goods are given back, the points they earned are taken back, rounded {refund_rounding}."),
            help_text=_("However often parts of an order are given back, all together is exactly what it earned."),
        ),
        Sentence(_("Where they are spent already, {shortfall}.")),
        Sentence(
            _(
                "Points that were spent on the goods come back; those that have expired live {restore_grace_days} days"
                " more."
            )
        ),
    ],
    heading=_("Refunds"),
    icon="rotate",
)
TEXTS = MultiFieldPanel(
    [
        FieldPanel("name", help_text=_("The heading of the points card and at the checkout. Empty: “Points”.")),
        FieldPanel("text", help_text=_("A line under it on the points card; may be empty.")),
    ],
    heading=_("Texts"),
    icon="pilcrow",
)
STAFF = MultiFieldPanel(
    [
        Limit(
            _("Staff add or take {adjust_limit} points of one member in a day; more needs a permission."),
            said=_(
                "Staff add or take up to %(limit)s points of one member in a day. Only who may go beyond it may change"
                " it."
            ),
            without=_(
                "Staff add or take any number of points of one member. Only who may go beyond a limit may set one."
            ),
            help_text=_("Empty: no limit. The permission is “Can adjust more points than the limit …”."),
        )
    ],
    heading=_("Staff"),
    icon="group",
)
PAUSE = MultiFieldPanel(
    [
        Sentence(_("{earn_paused} Earning is paused: new orders earn nothing.")),
        Sentence(
            _("{redeem_paused} Spending is paused: no points can be spent on new orders."),
            help_text=_("What members have stays theirs, and orders that have begun are finished as they were shown."),
        ),
    ],
    heading=_("Pause"),
    icon="history",
    classname="lk-pause",
)

LOYALTY = WithExample(
    [EARNING, REDEEMING, EXPIRY, TIERS, CATEGORIES, REFUNDS, TEXTS, STAFF, PAUSE], base_form_class=LoyaltySettingsForm
)
