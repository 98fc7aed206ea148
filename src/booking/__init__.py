"""The write side: commands become events in one append-only log per subdistrict; imports nothing of the other two."""
