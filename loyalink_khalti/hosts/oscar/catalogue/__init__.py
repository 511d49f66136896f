"""Oscar's products on the shop's own pages and on pages of Wagtail: search, cards, blocks and the chooser."""
