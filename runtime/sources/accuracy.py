"""How well a place has to be known, and how well it is where nothing says so."""

from __future__ import annotations

GPS_SIGMA_M = 3.0  # of a consumer receiver in the open, which reports no accuracy
WORST_SIGMA_M = 50.0  # a place that is known no better lies outside the view from it
VAGUE = f"known to no better than {WORST_SIGMA_M:g} m"
