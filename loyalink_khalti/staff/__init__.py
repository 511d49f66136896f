"""What staff pages of any back office share: permissions, lists, refunds, received money, labels, timeline."""
