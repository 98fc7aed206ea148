"""The subdistrict's stations, spaces and rooms: what can be booked, and when it is open."""
