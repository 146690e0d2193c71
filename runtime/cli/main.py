"""`homing`: every command of the runtime, registered in one place."""

from __future__ import annotations

from typing import NoReturn

import typer

from runtime.cli import bench, bundle, control, doctor, engine, fix, history, locate, record, run
from runtime.cli.entry import enter

app = typer.Typer(
    name="homing",
    help="Visual navigation when GPS is gone: record a flight, find a place in it, go there.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    record.record,
    locate.locate,
    fix.fix,
    run.run,
    control.confirm,
    control.engage,
    control.disengage,
    control.status,
    doctor.doctor,
    bench.bench,
):
    app.command()(command)
# A southern latitude begins with a minus sign and is no option.
app.command(context_settings={"ignore_unknown_options": True})(control.target)
app.add_typer(history.history_app)
app.add_typer(bundle.bundle_app)
app.add_typer(engine.engine_app)


def main() -> NoReturn:
    """The console script."""
    enter(app)


if __name__ == "__main__":
    main()
