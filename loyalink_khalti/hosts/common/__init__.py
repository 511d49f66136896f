"""What any host needs around the flow, whatever the framework of its shop.

Functions and classes here take plain data and Django requests. They import no host.
``hosts.oscar`` uses them, and so can any other host.
"""
