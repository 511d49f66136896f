"""Gunicorn's settings for the sandbox store: ``gunicorn sandbox.wsgi:application``."""

# The return page ignores what is appended to its address, but gunicorn refuses lines above 4 kB by default: a
# customer who has just paid would see its error page. Khalti appends about 400 bytes and the shop's name, 9 bytes for
# each letter in Devanagari. This is gunicorn's highest limit; without one, an endless line takes all of a processor.
limit_request_line = 8190
