"""python-socketio's two clients, as published, against the conformance program."""

import asyncio
import gc
import queue
import threading

import pytest
import socketio
from support.conformance import PATIENCE, Conformance

# Both clients leave sockets to the garbage collector when they connect again.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)

TRANSPORTS = {
    "polling": ["polling"],
    "websocket": ["websocket"],
    "upgrade": ["polling", "websocket"],
}
ARGS = (1, "2", {"3": [True, None]}, -0.5, "ünï ☃ \U0001f600\u2028", [], {})
BINARY = ("before", b"\x00\x1e\xff", {"deep": [b"", {"er": b"\x07" * 200000}]}, None)
# A sync client that leaves while it posts waits for its poll, thus for the next ping.
PING = ("--ping-interval", 300)
OPTIONS = {"reconnection_delay": 0.05, "randomization_factor": 0}


class SyncClient:
    """socketio.Client; what it hears stands in `heard`, as (namespace, event, *arguments)."""

    def __init__(self):
        self.client = socketio.Client(**OPTIONS)
        self.keep_order()
        self.heard = queue.Queue()
        self.answer = ()  # what a `question` is acknowledged with
        for namespace in ("/", "/custom", "/other"):
            self.listen(namespace)

    def keep_order(self):
        """python-engineio gives each message of this client to a thread of its own, and the
        threads may overtake one another."""
        trigger = self.client.eio._trigger_event

        def in_turn(event, *args, **options):
            return trigger(event, *args, **{**options, "run_async": False})

        self.client.eio._trigger_event = in_turn

    def hear(self, namespace, event, *args):
        self.heard.put((namespace, event, *args))
        return self.answer if event == "question" else None

    def listen(self, namespace):
        def anything(event, *args):
            return self.hear(namespace, event, *args)

        def connect():
            self.hear(namespace, "connect")

        def connect_error(data):
            self.hear(namespace, "connect_error", data)

        def disconnect(*_):
            self.hear(namespace, "disconnect")

        for handler in (connect, connect_error, disconnect):
            self.client.on(handler.__name__, self.wrap(handler), namespace=namespace)
        self.client.on("*", self.wrap(anything), namespace=namespace)

    def wrap(self, handler):
        return handler

    def next(self, event, namespace="/"):
        """Arguments of the next thing heard, which must be this."""
        heard = self.heard.get(timeout=PATIENCE)
        assert heard[:2] == (namespace, event)
        return heard[2:]

    def do(self, method, *args, **options):
        return getattr(self.client, method)(*args, **options)

    def connect(self, server, transport, namespaces=("/",), **options):
        self.do(
            "connect",
            server.url,
            transports=TRANSPORTS[transport],
            namespaces=list(namespaces),
            wait_timeout=PATIENCE,
            **options,
        )
        assert self.client.transport() == TRANSPORTS[transport][-1]

    def emit(self, event, *args, namespace="/", **options):
        self.do("emit", event, args, namespace=namespace, **options)

    def call(self, event, *args, namespace="/"):
        """What the server acknowledges with: one argument as it is, several as a tuple."""
        return self.do("call", event, args, namespace=namespace, timeout=PATIENCE)

    def close(self):
        self.do("disconnect")


class AsyncClient(SyncClient):
    """socketio.AsyncClient, with a loop and a thread of its own."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        super().__init__()
        self.client = self.run(self.make())

    async def make(self):
        client = socketio.AsyncClient(**OPTIONS)
        client.handlers = self.client.handlers
        return client

    def wrap(self, handler):
        async def coroutine(*args):
            return handler(*args)

        return coroutine

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(2 * PATIENCE)

    def do(self, method, *args, **options):
        return self.run(getattr(self.client, method)(*args, **options))

    async def finish(self):
        """Ends what the client leaves running, as asyncio.run would."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def close(self):
        super().close()
        self.run(self.finish())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@pytest.fixture(scope="module")
def server():
    with Conformance("socketio", *PING) as server:
        yield server


@pytest.fixture(scope="module", autouse=True)
def nothing_left_for_other_tests():
    yield
    gc.collect()


@pytest.fixture(params=[SyncClient, AsyncClient], ids=["sync", "asyncio"])
def client(request):
    client = request.param()
    yield client
    client.close()


@pytest.fixture(params=list(TRANSPORTS))
def transport(request):
    return request.param


@pytest.fixture
def joined(client, server, transport):
    """Connected to `/`, with nothing unheard."""
    client.connect(server, transport)
    assert sorted([client.heard.get(timeout=PATIENCE) for _ in range(2)]) == [
        ("/", "auth", {}),
        ("/", "connect"),
    ]
    return client


def test_the_connect_payload_is_heard(client, server, transport):
    auth = {"token": "123", "deep": {"er": [1, None]}}
    client.connect(server, transport, ["/", "/custom"], auth=auth)
    heard = [client.heard.get(timeout=PATIENCE) for _ in range(4)]
    assert [thing for thing in heard if thing[1] == "auth"] in (
        [("/", "auth", auth), ("/custom", "auth", auth)],
        [("/custom", "auth", auth), ("/", "auth", auth)],
    )


@pytest.mark.parametrize("args", [ARGS, (), BINARY], ids=["text", "nothing", "binary"])
def test_events_both_ways(joined, args):
    joined.emit("message", *args)
    assert joined.next("message-back") == args


@pytest.mark.parametrize("args", [ARGS, (), BINARY], ids=["text", "nothing", "binary"])
def test_the_server_acknowledges(joined, args):
    assert joined.call("message-with-ack", *args) == (args or None)


@pytest.mark.parametrize("args", [ARGS, BINARY], ids=["text", "binary"])
def test_the_client_acknowledges(joined, args):
    joined.answer = args[::-1]
    joined.emit("ask", *args)
    assert joined.next("question") == args
    assert joined.next("answer") == args[::-1]


def test_many_events_come_in_order(joined):
    # python-engineio takes at most 16 packets from one poll, whoever the server is.
    for start in range(0, 200, 10):
        for n in range(start, start + 10):
            joined.emit("message", n, *([] if n % 5 else [bytes([n])]))
        for n in range(start, start + 10):
            assert joined.next("message-back") == ((n,) if n % 5 else (n, bytes([n])))


def test_namespaces_share_a_connection(client, server, transport):
    client.connect(server, transport, ["/", "/custom"])
    for _ in range(4):  # connect and auth of each
        client.heard.get(timeout=PATIENCE)
    assert client.client.get_sid("/") != client.client.get_sid("/custom")
    client.emit("message", "nobody answers here", namespace="/custom")
    assert client.call("message-with-ack", 1) == 1
    assert client.heard.empty()


def test_another_namespace_is_refused(client, server, transport):
    with pytest.raises(socketio.exceptions.ConnectionError):
        client.connect(server, transport, ["/other"])
    assert client.next("connect_error", "/other") == ({"message": "Invalid namespace"},)


# Over polling a server that stops says so with a close packet, after which python-engineio does not
# come back, whoever the server is.
@pytest.mark.parametrize(
    ("transport", "end"),
    [
        ("polling", "kill"),
        ("websocket", "kill"),
        ("websocket", "stop"),
        ("upgrade", "kill"),
        ("upgrade", "stop"),
    ],
)
def test_after_a_restart_of_the_server_it_is_back_by_itself(client, transport, end):
    with Conformance("socketio", *PING) as own:
        client.connect(own, transport)
        sid = client.client.get_sid("/")
        for _ in range(2):
            client.heard.get(timeout=PATIENCE)
        getattr(own, end)()
        client.next("disconnect")
        own.start(own.port)
        heard = []
        while len(heard) < 2:
            event = client.heard.get(timeout=PATIENCE)[1]
            if event != "connect_error":  # it has asked before the server was there
                heard.append(event)
        assert sorted(heard) == ["auth", "connect"]
        assert client.call("message-with-ack", "again", b"\x01") == ("again", b"\x01")
        assert client.client.get_sid("/") != sid
        client.do("disconnect")
