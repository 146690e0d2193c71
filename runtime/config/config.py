"""The configuration of the daemon: one TOML file, every key validated, nothing unknown let through.

Keys carry their unit; paths are relative to the file. See ``deploy/homing.toml`` for an example with comments.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from runtime.config.file import Problem, TomlFile
from runtime.config.flying import CommandingSection, GuidanceSection, InjectionSection
from runtime.config.sections import (
    BundleSection,
    CameraSection,
    ControlSection,
    FixSection,
    GroundSection,
    HistorySection,
    LinkSection,
    LogSection,
    NavigationSection,
    PageSection,
    RecordSection,
    Section,
    TargetSection,
    VehicleSection,
)
from runtime.errors import CommandingError, ConfigError, DrawingError
from runtime.injection.settings import Route
from runtime.sources.drawing import read_drawing
from runtime.vehicle.config import VehicleConfig
from runtime.vehicle.link.lines import link_names


class Config(Section):
    """A validated configuration file, one field a section."""

    camera: CameraSection
    vehicle: VehicleSection
    link: LinkSection = LinkSection()
    history: HistorySection
    bundle: BundleSection = BundleSection()
    record: RecordSection = RecordSection()
    fix: FixSection = FixSection()
    navigation: NavigationSection = NavigationSection()
    injection: InjectionSection = InjectionSection()
    target: TargetSection = TargetSection()
    guidance: GuidanceSection = GuidanceSection()
    commanding: CommandingSection = CommandingSection()
    ground: GroundSection = GroundSection()
    control: ControlSection = ControlSection()
    page: PageSection = PageSection()
    log: LogSection = LogSection()

    def page_token_file(self) -> Path | None:
        """Where the token of the status page is kept; None where the page only shows."""
        if not self.page.control:
            return None
        return self.page.token_file or self.history.path.with_name("homing-page.token")

    def vehicle_room(self) -> VehicleConfig:
        """What the vehicle room needs to know before the first byte."""
        return VehicleConfig(
            system_id=self.vehicle.system_id,
            component_id=self.vehicle.component_id,
            loiter_radius_m=self.guidance.loiter_radius_m,
            px4_hold=self.vehicle.px4_guided_mode == "hold",
            operator_system_id=self.ground.operator_system_id,
            links=link_names(len(self.vehicle.uri)),
            unix_time=self.injection.route == Route.GPS_INPUT.value,
            probe_global_position=self.injection.route == Route.GLOBAL_POSITION.value,
        )


def load_config(path: Path | str) -> Config:
    """Reads and validates a configuration; its relative paths are made relative to the file's folder.

    Raises:
        ConfigError: unreadable, not TOML, an unknown key, a missing one or a value out of range; names the line.
        CommandingError: commanding enabled without the limits it needs, or by sight over more ground without coverage
            than the camera's position may coast.
    """
    file = TomlFile.read(Path(path), example="deploy/homing.toml")
    try:
        config = Config.model_validate(file.data)
    except ValidationError as error:
        problems = [_problem(dict(one)) for one in error.errors()]
        raise ConfigError(file.sentence(problems, _keys_at)) from None
    config = _with_area(file, config)
    _check_limits(file, config)
    _check_coasting(file, config)
    return _resolved(config, Path(path).resolve().parent)


def _with_area(file: TomlFile, config: Config) -> Config:
    named = config.commanding.polygon_file
    if named is None:
        return config
    try:
        drawing = read_drawing(file.path.resolve().parent / named.expanduser())
        commanding = config.commanding.with_area_of(drawing, str(named))
    except (DrawingError, CommandingError) as error:
        line = file.line_of(("commanding", "polygon_file"))
        raise CommandingError(f"{file.path} line {line}: {error}") from None
    return config.model_copy(update={"commanding": commanding})


def _check_limits(file: TomlFile, config: Config) -> None:
    try:
        config.commanding.limits()
    except CommandingError as error:
        raise CommandingError(f"{file.path} line {file.line_of(('commanding',))}: {error}") from None


def _check_coasting(file: TomlFile, config: Config) -> None:
    """A way that was allowed must not be given up half over the bare ground that it was allowed to cross."""
    guidance, navigation = config.guidance, config.navigation
    needed_s = guidance.uncovered_s + guidance.coast_reserve_s
    if not config.commanding.enabled or navigation.source == "autopilot" or needed_s <= navigation.coast_s:
        return
    line = file.line_of(("navigation", "coast_s")) if "coast_s" in navigation.model_fields_set else None
    raise CommandingError(
        f"{file.path} line {line or file.line_of(('guidance',))}: [guidance] uncovered_s and coast_reserve_s are "
        f"{needed_s:g} s together, and [navigation] coast_s is {navigation.coast_s:g} s; raise it or lower one of them."
    )


def _problem(error: dict[str, Any]) -> Problem:
    return Problem(tuple(error["loc"]), str(error["type"]), str(error["msg"]))


def _keys_at(section: tuple[str | int, ...]) -> tuple[str, ...]:
    """The valid keys of a section, () for the file itself."""
    if not section:
        return tuple(Config.model_fields)
    field = Config.model_fields.get(str(section[0]))
    kind = field.annotation if field is not None else None
    return tuple(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else ()


def _resolved(config: Config, folder: Path) -> Config:
    def at(path: Path) -> Path:
        return folder / path.expanduser()

    paths = {name: getattr(config.bundle, name) for name in ("path", "signed_by", "features")}
    link = {"signing_key": config.link.signing_key, "signing_stamp": config.link.signing_stamp}
    token, terrain = config.page.token_file, config.fix.terrain
    bundle = {name: None if path is None else at(path) for name, path in paths.items()}
    return config.model_copy(
        update={
            "history": config.history.model_copy(update={"path": at(config.history.path)}),
            "fix": config.fix.model_copy(update={"terrain": terrain and at(terrain)}),
            "page": config.page.model_copy(update={"token_file": token and at(token)}),
            "control": config.control.model_copy(update={"socket": at(config.control.socket)}),
            "log": config.log.model_copy(update={"directory": at(config.log.directory)}),
            "bundle": config.bundle.model_copy(update=bundle),
            "link": config.link.model_copy(
                update={name: None if path is None else at(path) for name, path in link.items()}
            ),
        }
    )
