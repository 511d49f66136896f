"""Khalti's bodies, verbatim: from its documentation, and where noted from public logs of integrators."""

from typing import Any

FULL_REQUEST: dict[str, Any] = {
    "return_url": "https://example.com/payment/",
    "website_url": "https://example.com/",
    "amount": 1300,
    "purchase_order_id": "test12",
    "purchase_order_name": "test",
    "customer_info": {"name": "Khalti Bahadur", "email": "example@gmail.com", "phone": "9800000123"},
    "amount_breakdown": [{"label": "Mark Price", "amount": 1000}, {"label": "VAT", "amount": 300}],
    "product_details": [
        {"identity": "1234567890", "name": "Khalti logo", "total_price": 1300, "quantity": 1, "unit_price": 1300}
    ],
    "merchant_username": "merchant_name",
    "merchant_extra": "merchant_extra",
}
LOGGED_REQUEST: dict[str, Any] = {  # a real sandbox, 2025-10-15
    "return_url": "https://main.chargeghar.com/api/payments/khalti/callback",
    "website_url": "https://main.chargeghar.com",
    "amount": 10000,
    "purchase_order_id": "26fb33cd-3b0c-4170-bd03-16842cb4a3c5",
    "purchase_order_name": "Wallet top-up - NPR 100.00",
    "customer_info": {"name": "janak", "email": "janak@powerbank.com"},
}
INITIATED: dict[str, Any] = {
    "pidx": "bZQLD9wRVWo4CdESSfuSsB",
    "payment_url": "https://test-pay.khalti.com/?pidx=bZQLD9wRVWo4CdESSfuSsB",
    "expires_at": "2023-05-25T16:26:16.471649+05:45",
    "expires_in": 1800,
}
LOGGED_INITIATED: dict[str, Any] = {
    "pidx": "dKo8K8fKm7VGDZwp46u7Ca",
    "payment_url": "https://test-pay.khalti.com/?pidx=dKo8K8fKm7VGDZwp46u7Ca",
    "expires_at": "2026-02-28T16:20:58.634899+05:45",
    "expires_in": 1800,
}
PAYMENT_URL_OF_2026 = (
    "https://test-pay.khalti.com/wallet/?pidx=W3tuz58jksvQFxAz55rtuh"
    "&return_url=https%3A%2F%2Fdocs.khalti.com%2Fkhalti-epayment&mode=wallet"
)
INITIATE_ERRORS: list[tuple[dict[str, Any], str]] = [
    (body | {"error_key": "validation_error"}, message)
    for body, message in [
        ({"return_url": ["This field may not be blank."]}, "return_url: This field may not be blank."),
        ({"return_url": ["Enter a valid URL."]}, "return_url: Enter a valid URL."),
        ({"website_url": ["This field may not be blank."]}, "website_url: This field may not be blank."),
        ({"website_url": ["Enter a valid URL."]}, "website_url: Enter a valid URL."),
        (
            {"amount": ["Amount should be greater than Rs. 10, that is 1000 paisa."]},
            "amount: Amount should be greater than Rs. 10, that is 1000 paisa.",
        ),
        (
            {"amount": ["Amount should be greater than Rs. 100, that is 10000 paisa."]},
            "amount: Amount should be greater than Rs. 100, that is 10000 paisa.",
        ),
        ({"amount": ["A valid integer is required."]}, "amount: A valid integer is required."),
        ({"purchase_order_id": ["This field may not be blank."]}, "purchase_order_id: This field may not be blank."),
        (
            {"purchase_order_name": ["This field may not be blank."]},
            "purchase_order_name: This field may not be blank.",
        ),
        ({"amount": ["Amount Breakdown mismatch."]}, "amount: Amount Breakdown mismatch."),
    ]
] + [({"customer_info": {"name": ["This field is required."]}}, "name: This field is required.")]
KEY_ERRORS = [
    {"detail": "Invalid token.", "status_code": 401},
    {"detail": "Authentication credentials were not provided.", "status_code": 401},
]


def looked_up(status: str, *, pidx: str = "HT6o6PEZRWFJ5ygavzHWd5", **more: Any) -> dict[str, Any]:
    """Return lookup's documented body for a status."""
    paid = status in {"Completed", "Refunded", "Failed", "Partially Refunded"}
    return {
        "pidx": pidx,
        "total_amount": 1000,
        "status": status,
        "transaction_id": "GFq9PFS7b2iYvL8Lir9oXe" if paid else None,
        "fee": 0,
        "refunded": "efunded" in status,
        **more,
    }


LOGGED_LOOKUP: dict[str, Any] = {
    "pidx": "KgwqwyHCLqjRMMi8rCeR55",
    "total_amount": 10000,
    "status": "Completed",
    "transaction_id": "v4VqmjVr4XbTkNaooNyoz5",
    "fee": 300,
    "refunded": False,
}
NOT_FOUND = {"detail": "Not found.", "error_key": "validation_error"}
REFUNDED = {"detail": "Transaction refund successful."}
KPG_1 = [
    {"status": True, "detail": "Transaction complete.", "state": "Complete"},
    {"status": False, "state": "Error", "detail": "Transaction not found"},
    {"status": False, "detail": "Transaction failed.", "state": "Failed"},
    {"status": True, "detail": "Transaciton initiated.", "state": "Initiated"},
    {"status": True, "detail": "Transaciton not verified.", "state": "Confirmed"},
    {"status": False, "detail": "Transaciton refunded.", "state": "Refunded"},
    {"status": False, "detail": "Transaction partially refunded.", "state": "Partially refunded"},
]
SDK_LOOKUP = {
    "pidx": "eBjn5R4iUB82JnKCHjE7eG",
    "total_amount": 1000,
    "status": "Pending",
    "transaction_id": "Ax12NiopxWpalol7rI",
    "fee": 0,
    "refunded": False,
    "purchase_order_id": None,
    "purchase_order_name": None,
    "extra_merchant_params": None,
}
