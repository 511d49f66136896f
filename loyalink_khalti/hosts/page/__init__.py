"""Wagtail pages that sell: a site's own page models with a price, a basket of several pages, and orders.

A site lists ``loyalink_khalti.hosts.page`` in ``INSTALLED_APPS`` and names ``shop.PageShop`` in ``SHOPS``. Its page
model inherits from ``KhaltiProductMixin`` (``product.py``). docs/hosts/page.md has the rest.
"""
