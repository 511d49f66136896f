"""Invoices and credit notes on the desk: the list, the page of one, printing, issue for an order, packing slips."""
