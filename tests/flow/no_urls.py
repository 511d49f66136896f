"""A site that forgot to mount the addresses."""

urlpatterns: list[object] = []
