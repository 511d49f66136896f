"""Refunds that a colleague has to approve: the page of each request, and where requests are listed."""
