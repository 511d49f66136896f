"""What a customer is notified of: a signal for the site's own code, and an e-mail.

``posting`` writes the event into the outbox, in the transaction that causes it. After commit ``handling`` makes of it
notices, and ``telling`` sends each once: signals, then the mail (``contents``, ``mailing``), in the
customer's language. ``kinds`` names the mails; ``again`` sends one once more; ``unsubscribing`` turns those about
points off and on.
"""
