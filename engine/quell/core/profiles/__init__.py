"""Reference profiles and what is found when the present is compared with them: the mathematics of drift, pure."""
