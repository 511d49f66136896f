"""Measurements that take minutes, run by hand; docs/proof.md has their results."""
