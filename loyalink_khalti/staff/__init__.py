"""What staff pages of any back office share: permissions, the refund form, form fields, choices, labels, exports."""
