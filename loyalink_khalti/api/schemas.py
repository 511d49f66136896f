"""The forms of requests and answers, as pydantic and OpenAPI have them. Amounts are paisa: 100 paisa are 1 rupee."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import ConfigDict, Field

Amount = Annotated[int, Field(description="paisa")]
Method = Literal["khalti", "cod", "bank_transfer", "points"]
MOST = 10**12


class Basket(Schema):
    """What the customer wants to buy."""

    model_config = ConfigDict(strict=True, extra="forbid")

    shop: str = Field(description="The name of a shop in the settings SHOPS.", max_length=50)
    basket: dict[str, Any] = Field(description="Products, customer and delivery, as this shop wants them.")
    points: int = Field(0, description="Points to use.", ge=0, le=MOST)


class QuoteRequest(Basket):
    """What to quote. With a method other than Khalti, points may leave less than Khalti's minimum to pay."""

    method: Method | Literal[""] = ""


class BeginRequest(Basket):
    """What to buy, and what the customer has agreed to pay."""

    method: Method
    expected_due: int = Field(
        description="The amount due, in paisa, that the customer has agreed to. Another one is refused.", ge=0, le=MOST
    )
    return_to: str = Field(
        "",
        description="An address of the setting RETURN_ADDRESSES, to which our return page leads after Khalti's, with"
        " the payment's token and its outcome in the query. Khalti learns nothing of it.",
        max_length=500,
    )


class QuotedLine(Schema):
    sku: str
    title: str
    options: str
    quantity: int
    unit: Amount
    total: Amount


class PointsSteps(Schema):
    """Every number of points that the order can use: 0, `first` to `last` in steps of `increment`, and `whole`.

    What is left to pay at Khalti is 0 or at least its minimum, so not each multiple of the increment fits.
    """

    first: int = Field(description="0 where there is no step.")
    last: int
    increment: int
    whole: int = Field(description="The points that pay for all of the order; 0 where they do not fit or are a step.")


class QuotedPoints(Schema):
    redeemed: int
    value: Amount
    earned: int = Field(description="What the order earns; for a guest, what a new member would earn.")
    balance: int
    redeemable: int = Field(description="The most points that this order can use.")
    minimum: int
    increment: int
    steps: PointsSteps
    blocked: bool


class QuotedMethod(Schema):
    method: Method
    title: str
    text: str
    unavailable_reason: str = Field(description="Why the customer cannot choose it; empty if they can.")
    test_mode: bool = Field(description="Whether no money moves: Khalti's test server.")


class Quote(Schema):
    """What the basket costs and earns now. Nothing is held."""

    lines: list[QuotedLine]
    subtotal: Amount
    shipping: Amount
    discount: Amount
    total: Amount
    points: QuotedPoints
    amount_due: Amount
    methods: list[QuotedMethod]


class Opened(Schema):
    """A payment that waits at Khalti."""

    id: str = Field(description="The payment's token, also in the address of its pages.")
    secret: str | None = Field(description="For a guest: the header Payment-Secret of later requests. Keep it.")
    payment_url: str = Field(description="Khalti's page. Open it in a browser.")
    expires_at: datetime | None
    status_page: str = Field(description="The payment's page for people, also its receipt.")


class Begun(Schema):
    """An order that was placed, or a payment that was opened for it. The same for the same idempotency key."""

    shop: str
    reference: str = Field(description="The shop's reference of the order.")
    order_number: str | None = Field(description="Null until the payment is paid: see the payment's status.")
    method: Method = Field(description="`points` where points pay all of it.")
    total: Amount
    points_redeemed: int
    points_value: Amount
    amount_due: Amount
    payment: Opened | None = Field(description="Null for an order without Khalti: it is placed.")


class Status(Schema):
    """What became of a payment."""

    id: str
    outcome: Literal["paid", "confirming", "cancelled", "expired", "failed", "flagged"] = Field(
        description="`confirming`: not paid yet, or Khalti has not confirmed it. `flagged`: staff review it."
    )
    shop: str
    reference: str
    order_number: str | None
    amount: Amount
    refunded: Amount
    points_redeemed: int
    points_earned: int
    payment_url: str | None = Field(description="Khalti's page while the payment can still be paid there.")
    expires_at: datetime | None
    can_cancel: bool
    status_page: str


class ExpiringPoints(Schema):
    points: int
    last_day: date = Field(description="The last day on which they can be used, in Nepal.")


class PointsUntil(Schema):
    points: int
    last_day: date | None = Field(description="The last day on which they can be used; null where they do not expire.")


class PendingPoints(Schema):
    points: int
    from_day: date = Field(description="The day from which they can be used, in Nepal.")


class Membership(Schema):
    """Whether a customer is a member, and which terms they have accepted."""

    status: Literal["member", "left", "merged"]
    since: datetime | None = Field(description="Null for a member without points so far.")
    left_at: datetime | None
    accepted_at: datetime | None
    accepted_version: str | None
    terms_version: str = Field(description="The version of the terms of now: `GET /program`.")
    blocked: str | None = Field(description="Why the points cannot be used, in the customer's language.")


class TermsAccepted(Schema):
    version: str = Field(max_length=64, description="The version that the customer has read.")


class PointsCard(Schema):
    """A member's points."""

    available: int
    pending: int
    held: int
    owed: int
    points_value: int = Field(description="What the available points are worth, in paisa.")
    lifetime_earned: int
    lifetime_redeemed: int
    tier: str
    next_tier: str | None
    points_to_next: int
    progress: int = Field(description="Per cent of the way to the next tier.")
    expiring: list[ExpiringPoints] = Field(description="Within 60 days.")
    by_expiry: list[PointsUntil] = Field(description="The available points, those that expire first at the front.")
    pending_by_day: list[PendingPoints]
    membership: Membership


class HistoryEntry(Schema):
    at: datetime
    kind: str
    text: str = Field(description="What happened, in the customer's language.")
    points: int = Field(description="Negative where points were deducted.")
    balance: int = Field(description="The balance after it: available and pending points, less what is owed.")
    shop: str | None
    reference: str | None = Field(description="The shop's reference of the order.")


class PointsHistory(Schema):
    """A part of a member's history, the newest entry first."""

    entries: list[HistoryEntry]
    opening: int = Field(description="The balance before the oldest entry of this part.")
    closing: int = Field(description="The balance after the newest: `opening` and all points sum to it.")
    before: int | None = Field(description="The `before` of the next part; null at the end.")


class ProgramSection(Schema):
    """Sentences of the programme's terms under one heading."""

    key: str = Field(description="Names the section in every language: `earning`, `redeeming`, `tiers` …")
    heading: str
    sentences: list[str]


class ProgramTier(Schema):
    """A tier of the programme."""

    name: str
    threshold: int = Field(description="Points that are needed to reach it.")
    multiplier: float
    gives: list[str] = Field(description="Parts of a sentence, in the customer's language.")


class Program(Schema):
    """The loyalty programme, for customers."""

    name: str
    text: str
    version: str = Field(description="Identifies these terms in every language.")
    valid_from: datetime
    rules: list[str] = Field(description="A sentence for each rule, in the customer's language.")
    sections: list[ProgramSection] = Field(description="The same sentences under headings.")
    tiers: list[ProgramTier] = Field(description="The lowest first; empty where there is but one that gives no more.")


class Session(Schema):
    """The browser session of this client, and what its unsafe requests send in the header X-CSRFToken."""

    csrf_token: str
    is_member: bool
