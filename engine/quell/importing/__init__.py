"""Other systems' configuration becomes ours: Alertmanager's routes, inhibitions and times, and Keep's workflows."""
