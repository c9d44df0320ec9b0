"""Pictures of explanations: a self-contained SVG, and the same as PNG."""
