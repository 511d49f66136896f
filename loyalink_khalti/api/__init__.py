"""A JSON API for headless shops and mobile apps: quote, begin, status, cancel, points, rules.

A face like any other: it calls the flow, and it reaches a host only through ``conf.shop(name).open_basket``. It needs
django-ninja (``pip install "loyalink-khalti[api]"``), which only the modules imported by ``api.urls`` import: a shop
without the API needs neither. ``docs/hosts/api.md`` is for those who write an app.
"""
