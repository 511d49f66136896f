"""A Khalti backend for django-getpaid as a careful integrator would write it: one pooled session, one timeout."""

from decimal import Decimal
from typing import Any

import requests
from getpaid.processor import BaseProcessor
from getpaid_core.enums import BackendMethod, PaymentEvent
from getpaid_core.types import PaymentUpdate, TransactionResult

TIMEOUT = 10  # seconds
UNPAID = {"Expired", "User canceled", "Failed"}

session = requests.Session()
session.trust_env = False


class PaymentProcessor(BaseProcessor):
    slug = "khalti"
    display_name = "Khalti"
    accepted_currencies = ["NPR"]

    def prepare_transaction(self, request: Any = None, **kwargs: Any) -> TransactionResult:
        """Open a payment at Khalti: https://docs.khalti.com/khalti-epayment/#initiating-a-payment-request"""
        order, site = self.payment.order, self.get_setting("site_url")
        buyer = order.get_buyer_info()
        answer = self._post(
            "epayment/initiate/",
            {
                "return_url": f"{site}/return/{self.payment.pk}/",
                "website_url": site,
                "amount": int(self.payment.amount_required * 100),
                "purchase_order_id": str(self.payment.pk),
                "purchase_order_name": self.payment.description,
                "customer_info": {"name": buyer["first_name"], "email": buyer["email"], "phone": buyer["phone"]},
            },
        )
        return TransactionResult(
            method=BackendMethod.REST,
            redirect_url=answer["payment_url"],
            external_id=answer["pidx"],
            provider_data={"pidx": answer["pidx"], "payment_url": answer["payment_url"]},
        )

    def fetch_payment_status(self, **kwargs: Any) -> PaymentUpdate | None:
        """Look the payment up: https://docs.khalti.com/khalti-epayment/#payment-verification-lookup"""
        answer = self._post("epayment/lookup/", {"pidx": self.payment.external_id})
        if answer["pidx"] != self.payment.external_id:
            raise ValueError("an answer about another payment")
        if answer["status"] == "Completed":
            if answer["total_amount"] != int(self.payment.amount_required * 100):
                raise ValueError("another amount was paid")
            return PaymentUpdate(
                payment_event=PaymentEvent.PAYMENT_CAPTURED,
                paid_amount=Decimal(answer["total_amount"]) / 100,
                provider_event_id=answer["transaction_id"],
                provider_data={"transaction_id": answer["transaction_id"], "fee": answer["fee"]},
            )
        if answer["status"] in UNPAID:
            return PaymentUpdate(payment_event=PaymentEvent.FAILED)
        return None

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        response = session.post(
            self.get_setting("base_url") + path,
            json=body,
            headers={"Authorization": f"Key {self.get_setting('secret_key')}"},
            timeout=TIMEOUT,
            allow_redirects=False,
        )
        if response.status_code not in (200, 400):  # 400 is Khalti's answer for Expired and User canceled
            response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return answer
