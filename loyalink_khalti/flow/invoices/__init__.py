"""Invoices and credit notes: what they contain, when they are issued, and how often they were printed."""
