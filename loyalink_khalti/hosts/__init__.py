"""Shops that the flow plugs into. A host is imported only by the dotted path that settings give it."""
