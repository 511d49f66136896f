"""django-oscar: the order is held first and placed once it is paid, without forking a model.

A shop on stock Oscar lists our AppConfigs in place of Oscar's in ``INSTALLED_APPS`` (see ``apps``), below
``loyalink_khalti`` itself. In a shop that has forked one of these apps, its own AppConfig inherits from ours, and its
own views from our mixins.

A held order is an ordinary Oscar order with the status "Awaiting payment", and every list leaves it out. ``freeze``
creates it, ``shop`` places or releases it.
"""
