"""What a store holds, written for others: JSON lines that a replay reads, and tables for analysis."""
