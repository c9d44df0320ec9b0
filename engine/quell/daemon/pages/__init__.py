"""Pages for people over HTTP: who may see them, what they read, and how people act from them."""
