"""Stand-ins for systems that quell talks to, for tests of quell and of what is built on it; none needs an account."""
