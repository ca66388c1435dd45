"""A session with a labgrid coordinator: places, exporters' resources, reservations. `messages.py` reads them.

It speaks labgrid's own protocol through the stubs that labgrid generates, blocking, with a time limit on each
call. `labgrid.remote.client` is not imported: it takes a second, and replaces `sys.excepthook`.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from edgegreen.errors import DeviceError, InputError, UnreachableError
from edgegreen.lab import messages
from edgegreen.lab.messages import Entry, Reservation, Resource

DEFAULT_PORT = 20408
GREETING_S = 5.0  # until a coordinator that is there has said all it has
ANSWER_S = 30.0  # it serves one call at a time, and may be waiting for another client's exporter
EXPORTER_S = 60.0  # where it asks exporters in turn, and gives each resource 10 s
# Two channels to one address share a connection otherwise, and the coordinator knows its clients by theirs.
CHANNEL = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.keepalive_time_ms", 7500),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
)


def address(given: str | None) -> str:
    """Where the coordinator is: as given, else as LG_COORDINATOR says, else on this machine.

    Raises InputError for a port that is no number.
    """
    found = given or os.environ.get("LG_COORDINATOR") or f"127.0.0.1:{DEFAULT_PORT}"
    host, colon, port = found.partition(":")  # several colons are IPv6
    if colon and ":" not in port and not (host and port.isdigit()):
        raise InputError(f"`{found}` is no HOST[:PORT] of a labgrid coordinator")
    return (
        found if found.rpartition(":")[2].isdigit() and not found.endswith("]") else f"{found}:{DEFAULT_PORT}"
    )


class Coordinator:
    """One session under the name `owner`. Safe to call from many threads; a context manager.

    Raises UnreachableError (transient) when the coordinator cannot be reached, or InputError without labgrid.
    """

    def __init__(self, at: str, owner: str) -> None:
        self.address, self.owner = at, owner
        grpc, stub = _labgrid()
        self.gone = threading.Event()
        """Set when the coordinator went away, or the session was closed."""
        self._rpc_error = grpc.RpcError
        self._places: dict[str, Entry] = {}
        self._resources: dict[tuple[str, str, str], Resource] = {}
        self._synced = threading.Semaphore(0)
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        with _said(self):
            self._channel = grpc.insecure_channel(_through_proxy(at), options=CHANNEL)
            self._stub = stub.CoordinatorStub(self._channel)
            self._stream = self._stub.ClientStream(iter(self._requests.get, None))
        threading.Thread(target=self._listen, daemon=True, name="edgegreen-lab").start()
        self._send(startup={"version": _version(), "name": owner})
        self._send(subscribe={"all_places": True})
        self._send(subscribe={"all_resources": True})
        try:
            self.sync()
        except BaseException:
            self.close()
            raise

    def sync(self) -> None:
        """Hear all that the coordinator has said until now."""
        self._send(sync={"id": 1})
        if not self._synced.acquire(timeout=GREETING_S) or self.gone.is_set():
            raise _silent(self.address)

    def places(self) -> list[Entry]:
        """All places, by name."""
        return [self._places[name] for name in sorted(self._places)]

    def place(self, name: str) -> Entry:
        """One place. Raises DeviceError when it was deleted."""
        try:
            return self._places[name]
        except KeyError:
            raise DeviceError(f"{self.address}: there is no place `{name}` any more") from None

    def resources(self, place: Entry) -> list[Resource]:
        """What was acquired with a place and an exporter still offers."""
        keys = [(exporter, group, name) for exporter, group, _, name in place.resources]
        return [self._resources[key] for key in keys if key in self._resources]

    def reserve(self, tags: Mapping[str, str]) -> Reservation:
        """Queue up for any place with these tags."""
        request = messages.make("CreateReservationRequest")
        request.filters["main"].filter.update(tags)
        return messages.reservation(self._call("CreateReservation", request).reservation)

    def poll(self, token: str) -> Reservation | None:
        """How it stands; asking keeps it alive. None when the coordinator does not know it (any more)."""
        request = messages.make("PollReservationRequest", token=token)
        try:
            return messages.reservation(self._call("PollReservation", request).reservation)
        except DeviceError:  # it refuses for no other reason
            return None

    def reservations(self) -> list[Reservation]:
        """All of them, the first to be served first."""
        found = self._call("GetReservations", messages.make("GetReservationsRequest")).reservations
        return sorted(map(messages.reservation, found), key=lambda one: one.rank)

    def cancel(self, token: str) -> None:
        """Drop a reservation."""
        self._call("CancelReservation", messages.make("CancelReservationRequest", token=token))

    def acquire(self, place: str) -> None:
        """Take a place, and what its exporters offer for it."""
        self._call("AcquirePlace", messages.make("AcquirePlaceRequest", placename=place), EXPORTER_S)

    def release(self, place: str, owner: str) -> None:
        """Free a place, if it is `owner` who has it."""
        request = messages.make("ReleasePlaceRequest", placename=place, fromuser=owner)
        self._call("ReleasePlace", request, EXPORTER_S)

    def close(self) -> None:
        """End the session. What is held stays held. Idempotent."""
        self.gone.set()
        self._requests.put(None)
        self._stream.cancel()
        self._channel.close()

    def __enter__(self) -> Coordinator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, **kind: Mapping[str, Any]) -> None:
        self._requests.put(messages.make("ClientInMessage", **kind))

    def _call(self, method: str, request: Any, timeout_s: float = ANSWER_S) -> Any:
        with _said(self):
            return getattr(self._stub, method)(request, timeout=timeout_s)

    def _listen(self) -> None:
        """Until the stream ends: keep what the coordinator tells of places and resources."""
        try:
            for message in self._stream:
                for update in message.updates:
                    _UPDATES[update.WhichOneof("kind")](self, update)
                if message.HasField("sync"):
                    self._synced.release()
        except self._rpc_error:
            pass
        finally:
            self.gone.set()
            self._synced.release()

    def _on_place(self, update: Any) -> None:
        self._places[update.place.name] = messages.entry(update.place)

    def _on_place_deleted(self, update: Any) -> None:
        self._places.pop(update.del_place, None)

    def _on_resource(self, update: Any) -> None:
        self._resources[messages.key(update.resource.path)] = messages.resource(update.resource)

    def _on_resource_deleted(self, update: Any) -> None:
        self._resources.pop(messages.key(update.del_resource), None)


_UPDATES: dict[str | None, Callable[[Coordinator, Any], None]] = {
    "place": Coordinator._on_place,
    "del_place": Coordinator._on_place_deleted,
    "resource": Coordinator._on_resource,
    "del_resource": Coordinator._on_resource_deleted,
}


@contextmanager
def _said(of: Coordinator) -> Iterator[None]:
    """Turn errors of gRPC, and of labgrid's way through a proxy, into ours."""
    import grpc
    from labgrid.driver.exception import ExecutionError

    try:
        yield
    except grpc.RpcError as error:
        lost = error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
        # UNKNOWN: a restarted coordinator does not know the session.
        if lost or of.gone.is_set() or error.code() is grpc.StatusCode.UNKNOWN:
            raise _silent(of.address) from None
        raise DeviceError(f"the coordinator {of.address} refuses: {error.details()}") from None
    except ValueError:  # a call on a channel that another thread has closed
        raise _silent(of.address) from None
    except ExecutionError as error:
        raise UnreachableError(f"{of.address}, through LG_PROXY: {error}") from None


def _silent(at: str) -> UnreachableError:
    return UnreachableError(
        f"no labgrid coordinator answers at {at}",
        hint="is labgrid-coordinator running there? LG_COORDINATOR names another one, as `coordinator` does",
        transient=True,
    )


def _labgrid() -> tuple[Any, Any]:
    """gRPC, and the stubs."""
    try:
        import grpc
        from labgrid.remote.generated import labgrid_coordinator_pb2_grpc
    except ImportError as error:
        raise InputError(
            f"`labgrid:` targets need labgrid, and it cannot be imported: {error}",
            hint="pip install 'edgegreen[lab]'",
        ) from None
    return grpc, labgrid_coordinator_pb2_grpc


def _version() -> str:
    from importlib.metadata import version

    return version("labgrid")


def _through_proxy(at: str) -> str:
    """Where to connect to: with LG_PROXY, the end of a way that labgrid makes with `ssh`."""
    if "LG_PROXY" not in os.environ:
        return at
    from labgrid.util.proxy import proxymanager

    return str(proxymanager.get_grpc_address(at))
