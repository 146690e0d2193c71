"""The parameter protocol: list, read, set; an unknown name gets no reply."""

from __future__ import annotations

from sim.autopilot.links import Link, Links
from sim.autopilot.parameters import Parameter, Parameters
from sim.autopilot.wire import Message, mavlink

NO_INDEX = 65535
PER_STEP = 20  # parameters of a list sent in one step: 2,000 a second, as recorded


class ParameterProtocol:
    """Answers requests for parameters."""

    def __init__(self, parameters: Parameters, links: Links) -> None:
        self._parameters, self._links = parameters, links
        self._lists: list[tuple[Link, int]] = []  # links that are being sent the list, with the next index

    def handle(self, message: Message) -> None:
        """PARAM_SET: casts, keeps, and tells every peer."""
        name = _name(message)
        if self._parameters.set(name, message.param_value):
            self.announce(name)

    def announce(self, name: str) -> None:
        """Tells every peer of a changed parameter."""
        for each in self._parameters.announced_with(name):
            parameter = self._parameters.get(each)
            if parameter is not None:
                self._links.broadcast(self._message(parameter, NO_INDEX))

    def read(self, message: Message, link: Link) -> None:
        """PARAM_REQUEST_READ, by name or index."""
        by_index = message.param_index >= 0
        parameter = (
            self._parameters.at(message.param_index) if by_index else self._parameters.get(_name(message))
        )
        if parameter is not None:
            link.send(self._message(parameter, parameter.index))

    def start_list(self, link: Link) -> None:
        """PARAM_REQUEST_LIST: the list follows over the next steps."""
        self._lists = [(other, index) for other, index in self._lists if other is not link]
        self._lists.append((link, 0))

    def step(self) -> None:
        """Sends the next parameters of each list under way."""
        going, self._lists = self._lists, []
        for link, first in going:
            for index in range(first, min(first + PER_STEP, len(self._parameters))):
                parameter = self._parameters.at(index)
                if parameter is not None:
                    link.send(self._message(parameter, index))
            if first + PER_STEP < len(self._parameters):
                self._lists.append((link, first + PER_STEP))

    def _message(self, parameter: Parameter, index: int) -> Message:
        return mavlink.MAVLink_param_value_message(
            parameter.name.encode(), parameter.value, parameter.type, len(self._parameters), index
        )


def _name(message: Message) -> str:
    name = message.param_id
    return (name.decode("ascii", "replace") if isinstance(name, bytes) else name).rstrip("\0")
