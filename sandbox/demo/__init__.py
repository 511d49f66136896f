"""What the demo store sells, as data and pictures."""
