"""What customers see of the loyalty programme: its terms, its tiers, their balance, and what a product would earn."""
