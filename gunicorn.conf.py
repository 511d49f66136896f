"""Gunicorn's settings for the sandbox store: ``gunicorn sandbox.wsgi:application``."""

# The return page ignores everything that is appended to its address, however long it is. Gunicorn refuses lines above
# 4 kB by default: a customer who has just paid would see its error page.
limit_request_line = 0
