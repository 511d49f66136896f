from django.apps import AppConfig


class GetpaidKhaltiConfig(AppConfig):
    name = "benchmarks.getpaid_khalti"
    label = "getpaid_khalti"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from getpaid.registry import registry

        from .processor import PaymentProcessor

        registry.register(PaymentProcessor)
