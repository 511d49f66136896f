"""The demo store *Saraswati Stationery*: django-oscar and Wagtail in one project, with loyalink-khalti plugged in.

``python -m sandbox`` starts it beside a simulated Khalti. ``shop`` adapts Oscar to this store, ``home`` has its
Wagtail pages, ``demo`` its products and pictures. The running store writes only to ``var``.
"""
