"""Kafka's wire by hand: batches that no honest producer sends, and a proxy between node and broker that does what networks do.

Only what the scenarios need: record batches of format 2, Produce version 7, Fetch answers up to version 11 (librdkafka 2.0.2).
"""

import ctypes
import ctypes.util
import random
import socket
import struct
import threading

import rig

ZSTD = 4  # the codec's number in a batch's attributes
HEAD = 61  # bytes of a batch before its records
UNCHECKED = 21  # of them, those that no checksum covers: base offset, length, leader epoch, format, the checksum itself


def _table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_CRC32C = _table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC32C[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def zstd(data):
    """One frame that tells its size."""
    name = ctypes.util.find_library("zstd")
    if name is None:
        return None
    library = ctypes.CDLL(name)
    for function in (library.ZSTD_compressBound, library.ZSTD_compress):
        function.restype = ctypes.c_size_t
    room = ctypes.create_string_buffer(library.ZSTD_compressBound(ctypes.c_size_t(len(data))))
    size = library.ZSTD_compress(room, ctypes.c_size_t(len(room)), data, ctypes.c_size_t(len(data)), 19)
    if library.ZSTD_isError(ctypes.c_size_t(size)):
        raise rig.Failure("zstd does not compress")
    return room.raw[:size]


def varint(number):
    number = number << 1 ^ number >> 63
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def record(offset_delta, value):
    """Without key, headers and time of its own."""
    body = b"\0" + varint(0) + varint(offset_delta) + varint(-1) + varint(len(value)) + value + varint(0)
    return varint(len(body)) + body


def seal(batch):
    """The batch with the checksum that its bytes have now."""
    return batch[:17] + struct.pack(">I", crc32c(batch[UNCHECKED:])) + batch[UNCHECKED:]


def batch(payload, count, codec=0, timestamp=1719893840000, base=0):
    """`payload`: `count` records, compressed already where `codec` says so. The broker gives it another base offset."""
    tail = struct.pack(">hiqqqhii", codec, count - 1, timestamp, timestamp, -1, -1, -1, count) + payload
    return seal(struct.pack(">qiibI", base, 9 + len(tail), -1, 2, 0) + tail)


def batches(data):
    """(position, length, first offset, number of offsets) of each batch of a segment."""
    at = 0
    while at + HEAD <= len(data):
        offset, length = struct.unpack_from(">qi", data, at)
        last, = struct.unpack_from(">i", data, at + 23)
        yield at, 12 + length, offset, last + 1
        at += 12 + length


def _text(text):
    return struct.pack(">h", len(text)) + text.encode()


def produce(bootstrap, topic, partition, records):
    """Sends the bytes as they are; returns the base offset that the broker gave them."""
    host, _, port = bootstrap.split(",")[0].rpartition(":")
    body = struct.pack(">hhi", 0, 7, 1) + _text("by-hand") + struct.pack(">hhii", -1, -1, 20000, 1) + _text(topic)
    body += struct.pack(">iii", 1, partition, len(records)) + records
    with socket.create_connection((host, int(port)), 20) as connection:
        connection.settimeout(30)
        connection.sendall(struct.pack(">i", len(body)) + body)
        answer = receive(connection, struct.unpack(">i", receive(connection, 4))[0])
    error, offset = struct.unpack_from(">hq", answer, 4 + 4 + 2 + len(topic) + 4 + 4)
    if error:
        raise rig.Failure(f"the broker refuses the batch: error {error}")
    return offset


def receive(connection, size):
    """Exactly so many bytes; None where the connection ended."""
    data = bytearray()
    while len(data) < size:
        part = connection.recv(min(size - len(data), 1 << 20))
        if not part:
            return None
        data += part
    return bytes(data)


# --- the proxy ---------------------------------------------------------------------------------------------------------


def records_of(answer, version):
    """(begin, end) of the records of each partition in a Fetch answer of version 4 to 11."""
    at = 4 + 4 + (6 if version >= 7 else 0)
    topics, = struct.unpack_from(">i", answer, at)
    at += 4
    for _ in range(topics):
        length, = struct.unpack_from(">h", answer, at)
        at += 2 + length
        partitions, = struct.unpack_from(">i", answer, at)
        at += 4
        for _ in range(partitions):
            at += 4 + 2 + 8 + 8 + (8 if version >= 5 else 0)
            aborted, = struct.unpack_from(">i", answer, at)
            at += 4 + 16 * max(0, aborted) + (4 if version >= 11 else 0)
            size, = struct.unpack_from(">i", answer, at)
            at += 4
            if size > 0:
                yield at, at + size
            at += max(0, size)


class Proxy:
    """Passes answers of one broker on. Flips touch what a checksum covers: the head of an answer and a batch's base offset have none,
    and only TCP's or TLS's own checksums protect them.

      proxy = Proxy(); proxy.broker = port; …; proxy.flips = 0.05; proxy.hole(); proxy.cut(); proxy.close()
    """

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.broker = None
        self.flips = 0.0       # share of Fetch answers with records in which one byte is wrong
        self.flipped = 0
        self.answers = 0       # Fetch answers with records
        self.accepted = 0
        self.swallow = False   # whoever connects now is heard and never answered
        self.lock = threading.Lock()
        self.links = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            self.accepted += 1
            link = Link(self, client)
            with self.lock:
                self.links = [old for old in self.links if not old.ended] + [link]

    def hole(self):
        """All connections stay open on the node's side, are closed on the broker's, and nothing comes any more; new ones fare alike."""
        self.swallow = True
        with self.lock:
            for link in self.links:
                link.go_silent()

    def heal(self):
        """New connections work; those of the hole stay half-open."""
        self.swallow = False

    def cut(self):
        with self.lock:
            for link in self.links:
                link.close()

    def close(self):
        self.socket.close()
        self.cut()

    def spoil(self, answer, version):
        parts = list(records_of(answer, version))
        if not parts:
            return answer
        self.answers += 1
        if self.random.random() >= self.flips:
            return answer
        begin, end = self.random.choice(parts)
        places = [at for first, size, _, _ in batches(answer[begin:end]) for at in (begin + first + UNCHECKED, begin + first + size - 1)]
        if len(places) < 2 or places[1] >= end:
            return answer  # a batch that is cut off, which the client asks for again
        place = self.random.randint(places[0], places[1])
        self.flipped += 1
        return answer[:place] + bytes([answer[place] ^ 1 << self.random.randrange(8)]) + answer[place + 1:]


class Link:
    """One connection: two threads."""

    def __init__(self, proxy, client):
        self.proxy, self.client, self.ended = proxy, client, False
        self.requests = {}  # correlation id: (kind, version)
        self.server = None
        self.silent = proxy.swallow
        if not self.silent:
            try:
                self.server = socket.create_connection(("127.0.0.1", proxy.broker), 5)
                self.server.settimeout(None)
            except OSError:
                self.close()
                return
            threading.Thread(target=self._run, args=(self._answers,), daemon=True).start()
        threading.Thread(target=self._run, args=(self._asked,), daemon=True).start()

    def _run(self, loop):
        try:
            loop()
        except OSError:
            pass
        if not self.silent:
            self.close()

    def _asked(self):
        while (head := receive(self.client, 4)) is not None:
            body = receive(self.client, struct.unpack(">i", head)[0])
            if body is None:
                break
            kind, version, number = struct.unpack_from(">hhi", body)
            self.requests[number] = (kind, version)
            if not self.silent:
                self.server.sendall(head + body)

    def _answers(self):
        while (head := receive(self.server, 4)) is not None:
            body = receive(self.server, struct.unpack(">i", head)[0])
            if body is None or self.silent:
                break
            kind, version = self.requests.pop(struct.unpack_from(">i", body)[0], (None, None))
            if kind == 1 and version <= 11:
                body = self.proxy.spoil(body, version)
            self.client.sendall(head + body)

    def go_silent(self):
        self.silent = True
        if self.server is not None:
            _end(self.server)

    def close(self):
        self.ended = True
        for end in (self.client, self.server):
            if end is not None:
                _end(end)


def _end(connection):
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    connection.close()
