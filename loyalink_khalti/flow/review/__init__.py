"""What staff review: Flags, how they are resolved, and the e-mails about them."""
