"""The read side: one read model per question, filled by following the log."""
