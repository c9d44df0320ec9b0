"""Where people talk: which message shows what, when it is sent, and what is done of what they say there."""
