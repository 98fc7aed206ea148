"""The HTTP API, as `api.md` promises it: a file for each thing that can be asked about."""
