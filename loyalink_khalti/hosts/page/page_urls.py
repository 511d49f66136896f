"""URLs of the pages that sell, for a site that has those of the storefront already, as an Oscar shop does."""

from django.urls import path, register_converter

from loyalink_khalti.token_pages import PaymentTokenConverter

from . import basket_pages, checkout, checkout_page, order_pages

app_name = "loyalink_khalti_page"


class OrderNumberConverter(PaymentTokenConverter):
    """``<order_number:number>`` in a URL: letters, digits, and what a prefix may have."""

    regex = r"[^\x00-\x1f]{1,100}"


register_converter(OrderNumberConverter, "page_order_number")

urlpatterns = [
    path("basket/", basket_pages.BasketView.as_view(), name="basket"),
    path("basket/add/<int:page_id>/", basket_pages.AddView.as_view(), name="add"),
    path("checkout/", checkout_page.CheckoutView.as_view(), name="checkout"),
    path("paid/<payment_token:token>/", checkout.PagePaymentReturnView.as_view(), name="returned"),
    path("order/", order_pages.FindOrderView.as_view(), name="find_order"),
    path("order/<page_order_number:number>/", order_pages.OrderView.as_view(), name="order"),
    path("order-link/<signed_token:token>/", order_pages.OrderLinkView.as_view(), name="order_link"),
    path("points/", order_pages.PointsView.as_view(), name="points"),
]
