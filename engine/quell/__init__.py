"""quell: alerts in, a few explained incidents and safe playbook runs out."""

__version__ = "0.1.0"
