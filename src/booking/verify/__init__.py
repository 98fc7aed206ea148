"""Proves a log from its bytes alone: its chain, its tags, that no resource is taken beyond its capacity.

Of booking it knows the log and nothing else: what decides and what proves share no code.
"""

from booking.verify.proof import verify
from booking.verify.report import Checkpoint, Finding, Kind, Progress, Report

__all__ = ["Checkpoint", "Finding", "Kind", "Progress", "Report", "verify"]
