"""Guidance: from an estimate and a confirmed target to setpoints, or to every reason why there are none."""
