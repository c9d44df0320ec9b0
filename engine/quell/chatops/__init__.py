"""What people say to quell where they talk, and what it shows them there: pure, and without any vendor's word."""
