"""django-oscar: the order is held first and placed when it is paid, without forking a model.

A shop on stock Oscar names our AppConfigs in place of Oscar's in ``INSTALLED_APPS`` (see ``apps``), below
``loyalink_khalti`` itself. A shop that has forked Oscar's checkout keeps its fork and adds
``checkout.KhaltiCheckoutMixin`` and ``urls``.

A held order is an ordinary Oscar order, status "Awaiting payment", that every list leaves out. ``freeze`` makes it,
``shop`` places it or lets go of it again.
"""
