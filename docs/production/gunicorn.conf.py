"""Gunicorn behind nginx: ``gunicorn --config gunicorn.conf.py --threads 4 shop.wsgi:application``.

``--threads`` is on the command line, where ``MAX_CONCURRENT_CALLS`` of loyalink-khalti can read it.
"""

bind = "127.0.0.1:8000"  # for nginx alone
workers = 2
worker_class = "gthread"
timeout = 60
graceful_timeout = 30
keepalive = 75  # longer than nginx keeps an idle connection

# Room for what Khalti appends to the return address: about 400 bytes and the shop's name, 9 bytes for each letter in
# Devanagari. Never 0, which means no limit.
limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 8190

# Without queries: Khalti appends the customer's mobile number to the return address.
accesslog = "-"
access_log_format = '%({x-forwarded-for}i)s %(t)s "%(m)s %(U)s" %(s)s %(B)s %(D)s'
