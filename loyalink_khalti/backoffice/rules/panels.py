"""The panels of the page with the loyalty settings: one sentence for each rule."""

from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel, MultiFieldPanel

from loyalink_khalti.backoffice.example import PanelsWithExample
from loyalink_khalti.backoffice.limits import LimitSentence
from loyalink_khalti.backoffice.sentence import Sentence, SentenceRows

from .form import LoyaltySettingsForm

EARNING = MultiFieldPanel(
    [
        Sentence(_("Customers earn {points} points for every Rs {per} of products.")),
        Sentence(_("Points are counted {stepwise}, and a fraction of a point {rounding}.")),
        Sentence(
            _("Orders with less than Rs {minimum_order} of products earn no points."),
            help_text=_("0: every order earns points."),
        ),
        Sentence(_("One order earns at most {maximum_earned} points.")),
        Sentence(_("The first order earns {first_order_bonus} bonus points.")),
        Sentence(_("A customer who signs up gets {signup_bonus} points.")),
        Sentence(
            _("The {vat_percent} % VAT that the prices include earns no points."),
            help_text=_("Enter 13 if the prices include VAT and VAT earns no points. Otherwise enter 0."),
        ),
        Sentence(_("{earn_on_shipping} Delivery also earns points.")),
        Sentence(_("{earn_before_discounts} Points are counted on the price before offers and coupons.")),
        Sentence(_("{earn_on_points} The part that is paid with points also earns points.")),
    ],
    heading=_("Earning"),
    icon="plus-inverse",
)
CATEGORIES = MultiFieldPanel(
    [
        SentenceRows(
            "multipliers",
            _("{tag} earns {factor} times the points. {DELETE} Remove"),
            add_label=_("Add a category"),
            help_text=_(
                "Where several multipliers, including a campaign's, apply to the same products, only the highest "
                "counts."
            ),
        ),
        Sentence(_("These categories earn no points: {excluded_tags}")),
    ],
    heading=_("Categories"),
    icon="folder-open-inverse",
)
REDEEMING = MultiFieldPanel(
    [
        Sentence(_("{redeem_points} points are worth Rs {redeem_value}.")),
        Sentence(_("An order uses at least {minimum_points} points, in increments of {increment}.")),
        Sentence(
            _(
                "An order uses at most {maximum_points} points, and points pay at most {maximum_percent} percent of an"
                " order."
            ),
            help_text=_("The amount left to pay at Khalti is either Rs 0 or at least Rs 10."),
        ),
    ],
    heading=_("Using points"),
    icon="tag",
)
EXPIRY = MultiFieldPanel(
    [
        Sentence(
            _("Points can be used {pending_days} days after the order."),
            help_text=_("0: at once. The number of days in which customers can return products is a good choice."),
        ),
        Sentence(
            _("From then on they are valid for {valid_months} months, {month_end}."),
            help_text=_("Empty: points never expire. Days are counted in Nepal time."),
        ),
        Sentence(_("Members are notified {notice_days} days before points expire."), help_text=_("0: no notice.")),
    ],
    heading=_("Availability and expiry"),
    icon="calendar-alt",
)
TIERS = MultiFieldPanel(
    [
        SentenceRows(
            "tiers",
            _("{name} from {threshold} points: {multiplier} times the points. {DELETE} Remove"),
            add_label=_("Add a tier"),
            help_text=_("From the lowest tier, at 0 points, to the highest."),
        ),
        Sentence(_("The tier depends on {tier_basis}.")),
        Sentence(
            _("A member with too few points for a tier keeps it for {tier_grace_days} more days."),
            help_text=_("A higher tier is reached at once."),
        ),
    ],
    heading=_("Tiers"),
    icon="list-ol",
)
REFUNDS = MultiFieldPanel(
    [
        Sentence(
            _("A refund reverses the points that the refunded products earned, rounded {refund_rounding}."),
            help_text=_("All partial refunds of an order together reverse exactly the points that it earned."),
        ),
        Sentence(_("If they are already used, {shortfall}.")),
        Sentence(
            _(
                "Points that were used on the refunded products are returned; expired points stay valid for "
                "{restore_grace_days} more days."
            )
        ),
    ],
    heading=_("Refunds"),
    icon="rotate",
)
TEXTS = MultiFieldPanel(
    [
        FieldPanel(
            "name", help_text=_("The heading of the points card and of the points at the checkout. Empty: “Points”.")
        ),
        FieldPanel("text", help_text=_("A line below the heading of the points card. It may be empty.")),
    ],
    heading=_("Texts"),
    icon="pilcrow",
)
STAFF = MultiFieldPanel(
    [
        LimitSentence(
            _("Staff may add or deduct {adjust_limit_per_action} points at once. More needs a permission."),
            read_only=_(
                "Staff may add or deduct up to %(limit)s points at once. Only staff who may exceed the limit can "
                "change it."
            ),
        ),
        LimitSentence(
            _("Staff may add or deduct {adjust_limit} points per member in a day. More needs a permission."),
            read_only=_(
                "Staff may add or deduct up to %(limit)s points per member in a day. Only staff who may exceed the "
                "limit can change it."
            ),
            unlimited=_(
                "Staff may add or deduct any number of points per member. Only staff who may exceed a limit can set "
                "one."
            ),
        ),
        LimitSentence(
            _(
                "One colleague may add or deduct {adjust_limit_per_actor} points of all members together in a day. "
                "More needs a permission."
            ),
            read_only=_(
                "One colleague may add or deduct up to %(limit)s points of all members together in a day. Only staff "
                "who may exceed the limit can change it."
            ),
            help_text=_(
                "Empty: no limit; 0: nothing without the permission. A merge counts with the points that it moves; a "
                "day is the last 24 hours. The permission is “Can adjust more points than the limit …”. Staff "
                "cannot adjust their own account, whatever their permissions."
            ),
        ),
    ],
    heading=_("Staff"),
    icon="group",
)
COUNTER = MultiFieldPanel(
    [
        LimitSentence(
            _("One counter sale may give and redeem {counter_limit_per_sale} points. More needs a permission."),
            read_only=_(
                "One counter sale may give and redeem up to %(limit)s points. Only staff who may exceed the limit can "
                "change it."
            ),
        ),
        LimitSentence(
            _(
                "A colleague may give and redeem {counter_limit} points of one customer in a day at the counter. More "
                "needs a permission."
            ),
            read_only=_(
                "A colleague may give and redeem up to %(limit)s points of one customer in a day at the counter. Only "
                "staff who may exceed the limit can change it."
            ),
        ),
        LimitSentence(
            _(
                "A colleague may give and redeem {counter_limit_per_actor} points of all customers together in a day "
                "at the counter. More needs a permission."
            ),
            read_only=_(
                "A colleague may give and redeem up to %(limit)s points of all customers together in a day at the "
                "counter. Only staff who may exceed the limit can change it."
            ),
            help_text=_(
                "Empty: no limit; 0: nothing without the permission. A day is the last 24 hours. The permission is "
                "“Can give and redeem more points at the counter …”."
            ),
        ),
    ],
    heading=_("Counter"),
    icon="pick",
)
PAUSE = MultiFieldPanel(
    [
        Sentence(_("{earn_paused} Earning is paused: new orders earn no points.")),
        Sentence(
            _("{redeem_paused} The use of points is paused: new orders accept no points."),
            help_text=_("Members keep their points, and orders that have started are completed as they were shown."),
        ),
    ],
    heading=_("Pause"),
    icon="history",
    classname="lk-pause",
)

LOYALTY_PANELS = PanelsWithExample(
    [EARNING, REDEEMING, EXPIRY, TIERS, CATEGORIES, REFUNDS, TEXTS, STAFF, COUNTER, PAUSE],
    base_form_class=LoyaltySettingsForm,
)
