"""The peer: django-getpaid 3.2.0 with a thin Khalti processor, and the order of a shop that uses it.

What getpaid's own documentation asks a shop to write, and nothing more: no flags, no reconciler, no points.
"""
