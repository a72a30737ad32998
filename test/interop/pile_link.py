"""A vehicle's connection to a pile, from docs/protocol.md alone: MQTT, frames, hello, bytes by digest. The names in quotes are its sections."""

import hashlib
import json
import random
import socket
import time

import paho.mqtt.client as mqtt
from plugpool.v1 import plugpool_pb2 as pb

BACK_FROM_S, BACK_CEILING_S = 0.2, 30  # "Connection"
WELCOME_WAIT_S, CHUNK_WAIT_S, CHUNK_TRIES = 10, 10, 3  # "Time-outs"
CHUNKS_ASKED_MAX = 8  # "Bytes above 64 KiB"


def say(event, **fields):
    """One line of JSON for each thing that happened: what the test reads."""
    print(json.dumps({"event": event, **fields}), flush=True)


class PileLink:
    """A vehicle adds hello(), welcomed(), tick(), and on_<body>(correlation_id, body) for what it wants to hear."""

    def __init__(self, address, vehicle, slot, token):
        self.address, self.vehicle, self.token = address, vehicle, token
        self.client_id, self.topic = f"{vehicle}.{slot}", f"plugpool/v1/{vehicle}/{slot}"
        self.announced, self.pulls = {}, {}  # by sha256: bytes that the pile may pull; Pulls of ours
        self.correlation_id, self.losses, self.done = 0, 0, False

    def run(self):  # "Connection": it comes back after a random time below a ceiling that doubles
        while not self.done:
            self.connect_once()
            time.sleep(0 if self.done else random.uniform(BACK_FROM_S, min(BACK_CEILING_S, 0.4 * 2**self.losses)))
            self.losses += 1

    def connect_once(self):
        self.welcome = None
        versioned = [mqtt.CallbackAPIVersion.VERSION1] if hasattr(mqtt, "CallbackAPIVersion") else []  # paho 2 wants it
        self.mqtt = mqtt.Client(*versioned, client_id=self.client_id, clean_session=True, protocol=mqtt.MQTTv311)
        self.mqtt.username_pw_set(self.vehicle, self.token)
        self.mqtt.on_socket_open = lambda _c, _u, opened: opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.mqtt.on_connect = lambda _c, _u, _f, code: self.connected(code)
        self.mqtt.on_subscribe = lambda *_: self.send(hello=self.hello())  # "Every connection": its first body
        self.mqtt.on_message = lambda _c, _u, message: self.hear(message.payload)
        self.mqtt.connect(*self.address, keepalive=15)
        give_up_at = time.monotonic() + WELCOME_WAIT_S
        while not self.done and self.mqtt.loop(timeout=0.02) == mqtt.MQTT_ERR_SUCCESS:
            if self.welcome:
                self.tick()
                for pull in list(self.pulls.values()):
                    pull.ask_late_again()
            elif time.monotonic() > give_up_at:
                break
        self.mqtt.disconnect()

    def connected(self, code):
        say("connack", code=code)
        if code == 0:
            self.mqtt.subscribe(f"{self.topic}/down/+", qos=1)  # "Topics": this one filter

    def tear(self):
        """Loses the connection as a tunnel does: without DISCONNECT."""
        self.mqtt.socket().shutdown(socket.SHUT_RDWR)

    def send(self, kind="frame", answering=None, **body):  # "Frames", "Topics"
        self.correlation_id += answering is None
        number = self.correlation_id if answering is None else answering
        frame = pb.Frame(version=1, bodies=[pb.Body(correlation_id=number, **body)])
        self.mqtt.publish(f"{self.topic}/up/{kind}", frame.SerializeToString(), qos=1)
        return number

    def hear(self, message):
        for body in pb.Frame.FromString(message).bodies:
            name = body.WhichOneof("kind")
            getattr(self, f"on_{name}", lambda *_: None)(body.correlation_id, getattr(body, name or "hello"))

    def on_welcome(self, _number, welcome):
        self.welcome, self.losses = welcome, 0
        say("welcome", keep=len(welcome.keep), drop=len(welcome.drop))
        self.welcomed()
        for pull in self.pulls.values():
            pull.ask()  # "What is said again": each pull that was under way

    def on_refused(self, _number, refused):
        say("refused", codes=[reason.code for reason in refused.reasons], retryable=refused.retryable)

    def payload(self, data, inline_bytes_max):  # "Bytes above 64 KiB": kept until the pile has them
        if len(data) <= inline_bytes_max:
            return pb.Payload(inline=data)
        digest = hashlib.sha256(data).digest()
        self.announced[digest] = data
        return pb.Payload(blob=pb.BlobRef(sha256=digest, size_bytes=len(data)))

    def read(self, payload, then):
        """`then` gets the bytes, or None where they could not be had."""
        if payload.WhichOneof("where") != "blob":
            return then(payload.inline)
        self.fetch(payload.blob, then)

    def fetch(self, ref, then):
        self.pulls[ref.sha256] = Pull(self, ref, then)
        self.pulls[ref.sha256].ask()

    def on_blob_pull(self, number, pull):
        data = self.announced.get(pull.sha256)
        if data is None:
            return self.send("blob", number, blob_refused=pb.BlobRefused(sha256=pull.sha256, code="blob_unknown"))
        step, end = self.welcome.chunk_bytes_max, min(pull.offset + pull.length, len(data))
        for at in range(pull.offset, end, step):
            piece = data[at : min(at + step, end)]
            chunk = pb.BlobChunk(sha256=pull.sha256, offset=at, data=piece, size_bytes=len(data))
            self.send("blob", number, blob_chunk=chunk)

    def on_blob_chunk(self, _number, chunk):
        if chunk.sha256 in self.pulls:
            self.pulls[chunk.sha256].take(chunk)

    def on_blob_refused(self, _number, refused):
        if refused.sha256 in self.pulls:
            self.pulls[refused.sha256].end(None)


class Pull:
    """Bytes on their way here, in order: one pull of eight chunks at a time."""

    def __init__(self, link, ref, then):
        self.link, self.ref, self.then, self.data, self.tries = link, ref, then, b"", 0

    def ask(self):
        self.heard_at = time.monotonic()
        asked = CHUNKS_ASKED_MAX * self.link.welcome.chunk_bytes_max
        self.until = min(len(self.data) + asked, self.ref.size_bytes)
        length = self.until - len(self.data)
        pull = pb.BlobPull(sha256=self.ref.sha256, offset=len(self.data), length=length)
        self.link.send("blob", blob_pull=pull)

    def take(self, chunk):
        if chunk.offset != len(self.data):
            return
        self.data, self.heard_at, self.tries = self.data + chunk.data, time.monotonic(), 0
        if len(self.data) == self.ref.size_bytes:
            self.end(self.data if hashlib.sha256(self.data).digest() == self.ref.sha256 else None)
        elif len(self.data) == self.until:
            self.ask()

    def ask_late_again(self):
        if time.monotonic() - self.heard_at < CHUNK_WAIT_S:
            return
        self.tries += 1
        self.ask() if self.tries < CHUNK_TRIES else self.end(None)

    def end(self, data):
        del self.link.pulls[self.ref.sha256]
        self.then(data)
