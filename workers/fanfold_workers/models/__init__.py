"""The one seam to a model: the protocol, its back ends, what wraps a Model, and what models cost."""
