"""What a while came to: from events to pages, what was held, how long people took, and how right the causes were."""
