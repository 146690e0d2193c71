"""The EKF's innovation gate on a source that jumps: rejected, then, worse, believed."""

from __future__ import annotations

from collections.abc import Callable

WARNING, CRITICAL = 4, 2
GATE_M = 5.0  # a GPS position further off than this is rejected
TEXT_S, FLAG_S = 1.25, 1.0  # after the jump, recorded
ACCEPT_S = 9.8  # recorded: taken 9.75 and 9.9 s after the jump, twice
CLEAR_S = 10.0  # from there to "Glitch cleared"
FOLLOW_S = 2.0  # time constant with which a small offset is followed

Say = Callable[[int, str], None]


class JumpGate:
    """Follows a source's offset from the truth (``offset_n, offset_e``) the way the EKF does.

    ``n`` and ``e`` are the share of it that the EKF has taken over; ``flag`` is EKF_GPS_GLITCHING. Of an external
    navigation that is rejected ArduPilot says nothing: there ``quiet`` is set.
    """

    __slots__ = ("_cleared_s", "_lanes", "_rejected_s", "_say", "_texted", "e", "flag", "n", "quiet")

    def __init__(self, say: Say) -> None:
        self._say = say
        self.n = self.e = 0.0
        self.flag = self.quiet = False
        self._rejected_s: float | None = None
        self._cleared_s: float | None = None
        self._texted = False
        self._lanes = 0

    def take(self, offset_n: float, offset_e: float) -> None:
        """The EKF sets its position to the source's: another source, or one that announced its leap."""
        self.n, self.e = offset_n, offset_e
        self._rejected_s = None
        self._cleared_s = 0.0 if self.flag or self._texted else None  # with the next step

    def step(
        self, dt: float, now_s: float, offset: tuple[float, float], rate: tuple[float, float] = (0.0, 0.0)
    ) -> tuple[float, float] | None:
        """Advances; returns the jump of the estimate (north, east) in the step in which it is believed.

        ``rate`` is the offset's velocity as the source itself tells it, m/s: the EKF fuses velocities too.
        """
        dn, de = offset[0] - self.n, offset[1] - self.e
        if self._cleared_s is not None and now_s >= self._cleared_s:
            self._clear()
        if dn == 0.0 and de == 0.0 and rate == (0.0, 0.0) and self._rejected_s is None:
            return None
        if dn * dn + de * de < GATE_M * GATE_M:
            self._follow(dt, dn, de, now_s)
            self.n += rate[0] * dt
            self.e += rate[1] * dt
            return None
        if self._rejected_s is None:
            self._rejected_s, self._lanes, self._cleared_s = now_s, 0, None
        return self._reject(now_s - self._rejected_s, now_s, dn, de)

    def _follow(self, dt: float, dn: float, de: float, now_s: float) -> None:
        if self._rejected_s is not None:  # it came back by itself
            self._rejected_s = None
            self._cleared_s = now_s
        small = dn * dn + de * de < 1e-6
        self.n += dn if small else dn * dt / FOLLOW_S
        self.e += de if small else de * dt / FOLLOW_S

    def _reject(self, for_s: float, now_s: float, dn: float, de: float) -> tuple[float, float] | None:
        if self.quiet:
            return self._accept(now_s, dn, de) if for_s >= ACCEPT_S else None
        for lane, after_s in ((1, 0.02), (0, 0.2)):  # the second EKF lane sees it first, then the first again
            if self._lanes == 1 - lane and for_s >= after_s:
                self._lanes += 1
                self._say(CRITICAL, f"EKF3 lane switch {lane}")
                self._say(WARNING, f"EKF primary changed:{lane}")
        if for_s >= FLAG_S:
            self.flag = True
        if for_s >= TEXT_S and not self._texted:
            self._texted = True
            self._say(CRITICAL, "GPS Glitch or Compass error")
        return self._accept(now_s, dn, de) if for_s >= ACCEPT_S else None

    def _accept(self, now_s: float, dn: float, de: float) -> tuple[float, float]:
        self.n, self.e = self.n + dn, self.e + de
        self._rejected_s, self._cleared_s = None, now_s + CLEAR_S
        return dn, de

    def _clear(self) -> None:
        self._cleared_s = None
        self.flag = False
        if self._texted:
            self._texted = False
            self._say(CRITICAL, "Glitch cleared")
