"""The border to C: memoryviews become pointers, statuses become exceptions; no mathematics."""

from .binding import *  # noqa: F403
