"""The demo store *Saraswati Stationery*: django-oscar and Wagtail in one project, with loyalink-khalti plugged in.

``python -m sandbox`` starts it beside a simulated Khalti. ``shop`` is Oscar as this store wears it, ``home`` its
Wagtail pages, ``demo`` its goods and pictures; everything that the running store writes goes to ``var``.
"""
