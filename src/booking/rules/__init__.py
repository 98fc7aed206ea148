"""The house rules that the office decided, version by version."""
