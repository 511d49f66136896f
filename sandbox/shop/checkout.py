"""Oscar's checkout as this store has it: wrong passwords at its first page are counted, too."""

from typing import Any

from loyalink_khalti.hosts.oscar import apps


class CheckoutConfig(apps.CheckoutConfig):
    def ready(self) -> None:
        super().ready()
        shown: Any = self.index_view

        class GatewayView(shown):  # type: ignore[misc]  # loaded by Oscar, so its class is not known here
            """Oscar's page with the request for its form: django-axes refuses a log-in without one, with an error."""

            def get_form_kwargs(self) -> dict[str, Any]:
                return {**super().get_form_kwargs(), "request": self.request}

        self.index_view = GatewayView
