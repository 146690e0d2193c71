"""The decision: whether the autopilot's estimator is fed with the position by sight, and told to fly on it.

Feeding hides from the autopilot that it has lost its way: its own failsafe sleeps for as long as something is fed. So
nothing is fed that odometry *and* absolute fixes do not speak for; what is no longer trusted is called unhealthy, then
nothing is said; and an autopilot that does not follow what it is fed is left alone. It is told to fly on it once, when
its own GPS is gone or known to lie, and never told to go back.
"""

from __future__ import annotations

from runtime.geodesy import north_east_m, offset
from runtime.injection.agreement import Agreement, sigma_along
from runtime.injection.alignment import Alignment, NorthEast
from runtime.injection.messages import failed, measured, origin
from runtime.injection.settings import InjectionLimits, InjectionSettings, Route
from runtime.injection.values import AidingSituation, InjectionDecision, InjectionReason, InjectionState, Support
from runtime.values import Aiding, Covariance, Estimate, circular

_NEVER = -(10**18)


class Injection:
    """`step` once for every frame that odometry took, and with every tick."""

    def __init__(self, settings: InjectionSettings, limits: InjectionLimits | None = None) -> None:
        self.settings = settings
        self._limits = limits or InjectionLimits()
        self.rebooted()

    def rebooted(self) -> None:
        """The autopilot started anew: it is on its own sources, and all that it says is its own again."""
        self._alignment = Alignment()
        self._agreement = Agreement(self._limits)
        self._reset_counter = self._resets_seen = self._unhealthy_words = 0
        self._measured_ns = self._unhealthy_ns = self._origin_ns = _NEVER
        self._streaming_ns: int | None = None  # since when without a break
        self._fed_ns: int | None = None  # since when with none but brief ones
        self._silent_ns: int | None = None  # since when nothing is fed
        self._asked_ns: int | None = None  # for the switch, that is not answered yet
        self._switched = False
        self._flown_ns: int | None = None  # since when the autopilot flies on what it is fed
        self._stopped: tuple[InjectionReason, ...] = ()
        self._echoing = False
        self._fix_ns: int | None = None  # of the newest fix that an estimator was put onto
        self._estimate_taken = False
        self.route: Route | None = None  # the one that is taken, once the autopilot is known

    @property
    def echoing(self) -> bool:
        """Whether the position that the autopilot reports may be ours: it confirms nothing, then and afterwards."""
        return self._echoing

    @property
    def echoing_receiver(self) -> bool:
        """Whether what the autopilot reports of its first receiver is ours."""
        return self.settings.route is Route.GPS_INPUT and self.settings.receiver == 0

    def switched(self, accepted: bool, answered: bool = True) -> None:
        """How the switch of source sets ended; ``answered`` False: the autopilot said nothing."""
        self._asked_ns = None
        self._switched = self._switched or accepted
        if answered and not accepted:
            self._stop((InjectionReason.SWITCH_REFUSED,))

    def answered_estimate(self, accepted: bool) -> None:
        """Whether the autopilot was put onto a position; it will not while it has GPS, or once it has given up."""
        self._estimate_taken = accepted

    def step(self, t_ns: int, vision: Estimate, support: Support, vehicle: AidingSituation) -> InjectionDecision:
        """What is to be sent at ``t_ns``; ``vehicle.nav`` is of the instant ``vision.t_ns``."""
        if self.settings.route is Route.OFF:
            return InjectionDecision(InjectionState.OFF)
        if vehicle.on_ground:
            self._stopped = ()
        self.route = self._chosen(vehicle)
        if self.route is None:
            self._streaming_ns = None
            unknown = not vehicle.reachable
            why = InjectionReason.VEHICLE_UNREACHABLE if unknown else InjectionReason.ROUTE_UNSUPPORTED
            return InjectionDecision(InjectionState.WAITING, (why,))
        doubts = self._stopped or self._doubts(t_ns, vision, support, vehicle)
        if doubts:
            return self._silenced(t_ns, doubts, vision, vehicle)
        self._follow(t_ns, vision, support, vehicle)
        return self._streamed(t_ns, vision, support, vehicle)

    def _chosen(self, vehicle: AidingSituation) -> Route | None:
        """The route, None where the autopilot does not take it."""
        if self.settings.route is Route.AUTO:
            return next(iter(vehicle.routes), None)
        return self.settings.route if self.settings.route in vehicle.routes else None

    # --- whether to feed ------------------------------------------------------------------------------------

    def _doubts(
        self, t_ns: int, vision: Estimate, support: Support, vehicle: AidingSituation
    ) -> tuple[InjectionReason, ...]:
        limits, settings = self._limits, self.settings
        local = self.route is not Route.GPS_INPUT
        found = {
            InjectionReason.VEHICLE_UNREACHABLE: not vehicle.reachable,
            InjectionReason.NOT_TRACKING: not vision.trusted or vision.velocity_ned_m_s is None,
            InjectionReason.UNCERTAIN: vision.trusted and vision.sigma_m > settings.max_sigma_m,
            InjectionReason.ODOMETRY_MISSING: _older(t_ns, support.odometry_t_ns, limits.odometry_age_ns),
            InjectionReason.FIX_TOO_OLD: _older(t_ns, support.fix_t_ns, settings.max_fix_age_ns),
            InjectionReason.NO_POSE: vehicle.nav is None or vehicle.nav.pose.altitude_amsl_m is None,
            InjectionReason.NO_ORIGIN: local and not vehicle.has_origin,
        }
        return tuple(reason for reason, holds in found.items() if holds)

    def _silenced(
        self, t_ns: int, doubts: tuple[InjectionReason, ...], vision: Estimate, vehicle: AidingSituation
    ) -> InjectionDecision:
        """Unhealthy, then silent; on the ground unhealthy all the time, or the autopilot would not arm."""
        self._streaming_ns, self._silent_ns = None, self._silent_ns or t_ns
        if t_ns - self._silent_ns >= self._limits.brief_ns:
            self._agreement.reset()
            self._fed_ns = None
        messages: tuple[Aiding, ...] = ()
        due = t_ns - self._unhealthy_ns >= self._limits.unhealthy_every_ns
        if due and (vehicle.on_ground or self._unhealthy_words < self._limits.unhealthy_words):
            self._unhealthy_ns = t_ns
            self._unhealthy_words += 1
            assert self.route is not None
            word = failed(t_ns, self.settings, self._reset_counter, vehicle, self.route)
            messages = () if word is None else (word,)
        if doubts == (InjectionReason.NO_ORIGIN,):
            given = origin(vision, vehicle, self.settings) if vehicle.gps_lost_s > self._limits.gps_lost_s else None
            if vehicle.gps_lost_s > self._limits.gps_lost_s and given is None:
                doubts = (InjectionReason.NO_ORIGIN_ALTITUDE,)
            if given is not None and t_ns - self._origin_ns >= self._limits.origin_every_ns:
                self._origin_ns = t_ns
                messages += (given,)
        state = InjectionState.STOPPED if self._stopped else InjectionState.WAITING
        return InjectionDecision(state, doubts, messages)

    def _stop(self, reasons: tuple[InjectionReason, ...]) -> None:
        self._stopped = reasons
        self._unhealthy_words = 0
        self._agreement.reset()

    # --- with what ------------------------------------------------------------------------------------------

    def _follow(self, t_ns: int, vision: Estimate, support: Support, vehicle: AidingSituation) -> None:
        """Brings the offset of what is fed to this instant, and counts the jumps that it makes."""
        resumed, self._streaming_ns = self._streaming_ns is None, self._streaming_ns or t_ns
        self._fed_ns, self._silent_ns = self._fed_ns or t_ns, None
        self._unhealthy_words = 0
        jumped, self._resets_seen = support.reset_counter != self._resets_seen, support.reset_counter
        apart_m = _apart(vision, vehicle)
        if jumped:
            self._reset_counter += 1
        if jumped or resumed:
            self._alignment.forget()
        if self.route is Route.POSITION_ESTIMATE:  # it is meant to jump to where sight is
            self._alignment.set(t_ns, (0.0, 0.0))
        elif self._flown_ns is not None:
            self._follow_flown(t_ns, vision, vehicle, apart_m, resumed=resumed, jumped=jumped)
        elif support.gps_alarm or apart_m is None:
            self._alignment.set(t_ns, (0.0, 0.0))
        elif not self._near(apart_m, vision, vehicle):
            self._alignment.forget()
        elif self._by_command(vehicle):  # its estimator is put onto the very position that it reads first
            self._alignment.set(t_ns, apart_m)
        elif vehicle.gps_lost_s > 0.0 and self._alignment.north_east_m is not None:
            self._alignment.hold(t_ns)
        else:
            self._alignment.follow(t_ns, apart_m)

    def _follow_flown(
        self,
        t_ns: int,
        vision: Estimate,
        vehicle: AidingSituation,
        apart_m: NorthEast | None,
        *,
        resumed: bool,
        jumped: bool,
    ) -> None:
        if jumped:
            self._alignment.set(t_ns, (0.0, 0.0))
        elif resumed and apart_m is not None and self._near(apart_m, vision, vehicle):
            self._alignment.set(t_ns, apart_m)
        elif resumed:  # it wandered off meanwhile: it is put where it is, and told so
            self._reset_counter += 1
            self._alignment.set(t_ns, (0.0, 0.0))
        else:
            self._alignment.glide(t_ns)

    def _near(self, apart_m: NorthEast, vision: Estimate, vehicle: AidingSituation) -> bool:
        """Whether both may mean the same place: the one moves to the other then, else one of them is wrong."""
        limits = self._limits
        assert vehicle.position is not None
        both = _sum(vision.covariance_m2, _finite(vehicle.position.covariance_m2))
        drifted_m = limits.drift_m_s * min(vehicle.gps_lost_s, 10.0)
        allowed_m = max(limits.aligned_least_m, limits.aligned_sigmas * sigma_along(apart_m, both)) + drifted_m
        return apart_m[0] ** 2 + apart_m[1] ** 2 <= allowed_m**2

    # --- whether to fly on it -------------------------------------------------------------------------------

    def _streamed(
        self, t_ns: int, vision: Estimate, support: Support, vehicle: AidingSituation
    ) -> InjectionDecision:
        assert vision.position is not None and self._streaming_ns is not None
        needed = support.gps_alarm or vehicle.gps_lost_s > self._limits.gps_lost_s or self.echoing_receiver
        reasons = self._not_yet(t_ns, needed, vehicle)
        if not reasons and self._flown_ns is None:
            self._flown_ns, self._echoing = t_ns, True
        if self._flown_ns is not None:
            stop = self._judged(t_ns, vision, vehicle)
            if stop:
                self._stop(stop)
                return self._silenced(t_ns, stop, vision, vehicle)
        switch_to = None
        if reasons == (InjectionReason.SWITCH_UNANSWERED,) and self._asked_ns is None:
            self._asked_ns, self._echoing, switch_to = t_ns, True, self.settings.source_set
        state = InjectionState.ALIGNING if self._flown_ns is None else InjectionState.FEEDING
        messages = self._messages(vision, support, vehicle, needed)
        return InjectionDecision(state, () if self._flown_ns is not None else reasons, messages, switch_to)

    def _not_yet(self, t_ns: int, needed: bool, vehicle: AidingSituation) -> tuple[InjectionReason, ...]:
        """Why the autopilot does not fly on it yet."""
        assert self._streaming_ns is not None
        if self._asked_ns is not None and t_ns - self._asked_ns >= self._limits.answer_ns:
            self._asked_ns = None
        switches = self._by_command(vehicle)
        found = {
            InjectionReason.GPS_IN_USE: not needed,
            InjectionReason.NOT_ALIGNED: self._alignment.north_east_m is None,
            InjectionReason.ESTIMATE_NOT_TAKEN: (
                self.route is Route.POSITION_ESTIMATE and needed and not self._estimate_taken
            ),
            InjectionReason.STREAM_TOO_SHORT: switches and t_ns - self._streaming_ns < self._limits.streamed_ns,
        }
        reasons = tuple(reason for reason, holds in found.items() if holds)
        if switches and self._switched:
            return ()
        return reasons or ((InjectionReason.SWITCH_UNANSWERED,) if switches else ())

    def _by_command(self, vehicle: AidingSituation) -> bool:
        return self._external_navigation() and vehicle.has_source_sets

    def _external_navigation(self) -> bool:
        return self.route in (Route.ODOMETRY, Route.VISION)

    def _judged(self, t_ns: int, vision: Estimate, vehicle: AidingSituation) -> tuple[InjectionReason, ...]:
        assert self._flown_ns is not None and self._fed_ns is not None
        if t_ns - max(self._flown_ns, self._fed_ns) < self._limits.settle_ns:
            return ()
        apart_m = _apart(vision, vehicle)
        if apart_m is not None:
            north, east = self._alignment.north_east_m or (0.0, 0.0)
            apart_m = apart_m[0] - north, apart_m[1] - east
        ratio = vehicle.position_ratio
        rejected = vehicle.estimator_ok is False or (ratio is not None and ratio > self._limits.rejected_ratio)
        return self._agreement.judged(t_ns, apart_m, vision.covariance_m2, rejected)

    def _messages(
        self, vision: Estimate, support: Support, vehicle: AidingSituation, needed: bool
    ) -> tuple[Aiding, ...]:
        """Nothing is repeated under a new stamp, nor fed unasked to an estimator that would mix it with its GPS."""
        if vision.t_ns <= self._measured_ns:
            return ()
        mixes = self.route is not Route.GPS_INPUT and not self._by_command(vehicle)
        unaligned = self._alignment.north_east_m is None and not self._by_command(vehicle)
        if unaligned or (mixes and not needed):
            return ()
        if self.route is Route.POSITION_ESTIMATE and not self._new_estimate(vision, support):
            return ()
        self._measured_ns = vision.t_ns
        assert vision.position is not None
        point = offset(vision.position, *(self._alignment.north_east_m or (0.0, 0.0)))
        covariance_m2 = self._alignment.widened(vision.covariance_m2)
        assert self.route is not None
        return (measured(vision, point, covariance_m2, self._reset_counter, vehicle, self.settings, self.route),)

    def _new_estimate(self, vision: Estimate, support: Support) -> bool:
        """Whether to put the estimator onto this position: after each new fix, and not too often."""
        if support.fix_t_ns == self._fix_ns or vision.t_ns - self._measured_ns < self._limits.estimate_every_ns:
            return False
        self._fix_ns, self._echoing = support.fix_t_ns, True
        return True


def _older(t_ns: int, then_ns: int | None, limit_ns: int) -> bool:
    return then_ns is None or t_ns - then_ns > limit_ns


def _apart(vision: Estimate, vehicle: AidingSituation) -> NorthEast | None:
    """The autopilot's position less that by sight, of the same instant."""
    if vehicle.position is None or vision.position is None:
        return None
    return north_east_m(vision.position, vehicle.position.point)


def _sum(a: Covariance, b: Covariance) -> Covariance:
    return (a[0][0] + b[0][0], a[0][1] + b[0][1]), (a[1][0] + b[1][0], a[1][1] + b[1][1])


def _finite(covariance_m2: Covariance) -> Covariance:
    """An autopilot that does not say how well it knows its position is not given room for that."""
    return covariance_m2 if covariance_m2[0][0] + covariance_m2[1][1] < float("inf") else circular(0.0)
