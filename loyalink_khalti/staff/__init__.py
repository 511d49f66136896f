"""What staff's pages have in common, whichever back office they stand in: permissions, forms, words; no rules."""
