"""What personal things become before anything is kept or told: tokens, words of what they were, or nothing."""
