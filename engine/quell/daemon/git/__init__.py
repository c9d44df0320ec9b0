"""Rules and playbooks from a git repository: fetched, checked for who signed them, tried out, and then taken up."""
