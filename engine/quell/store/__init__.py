"""What must survive: the journal of records, snapshots of the state, the ledger, the audit trail, the quarantine."""
