"""Bookings: asked for, confirmed or refused, cancelled, checked in, closed out."""
