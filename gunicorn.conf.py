"""How gunicorn serves the sandbox store: ``gunicorn sandbox.wsgi:application``."""

# What Khalti, or anybody, glues on to a return address is dropped by the return page, however long it is; gunicorn's
# own answer to more than 4 kB would be an error page for somebody who has just paid.
limit_request_line = 0
