"""A vehicle that lends, from docs/protocol.md alone. donor.py HOST PORT VEHICLE TOKEN

Its one program is built in: after as many seconds as its first argument says, it gives its input in capitals."""

import sys
import time

from pile_link import PileLink, say
from plugpool.v1 import plugpool_pb2 as pb

REPORT_EVERY_S, RUN_S = 5, 0.3
HARDWARE = pb.HardwareProfile(cpu_model="any", cores=4, memory_mib=4096, speed_millis=1000, platform="python")


class Attempt:
    def __init__(self, offer):
        self.offer, self.lease, self.input, self.result = offer, offer.lease, None, None
        self.run_s, self.began = float(offer.args[0]) if offer.args else RUN_S, time.monotonic()
        self.void_at = self.began + 0.8 * offer.lease_ms / 1000  # "The donor stops by itself"


class Donor(PileLink):
    def __init__(self, address, vehicle, token):
        super().__init__(address, vehicle, "lend", token)
        self.attempts, self.images, self.renewals, self.torn, self.deaf = {}, set(), {}, False, True

    def hello(self):  # "Every connection": leases held, also of results that were not acknowledged
        held = [attempt.lease for attempt in self.attempts.values()]
        return pb.Hello(client_version="1.0", hardware=HARDWARE, held=held, runtimes=[pb.RUNTIME_KIND_WASM])

    def welcomed(self):  # "What is said again after a lost connection"
        for lease in self.welcome.drop:  # A result of one is sent all the same.
            if self.attempts[lease.instance_id].result is None:
                del self.attempts[lease.instance_id]
        self.report_at = self.renew_at = 0
        for attempt in self.attempts.values():
            self.send_result(attempt)

    def tick(self):
        now = time.monotonic()
        if now >= self.report_at:  # "Capacity"
            self.report_at = now + REPORT_EVERY_S
            lendable = pb.Capacity(cpu_millicores=4000, memory_mib=4096)
            self.send(capacity=pb.CapacityReport(lendable=lendable, lending=True, cached_images=self.images))
        if now >= self.renew_at and self.attempts:
            self.renew_at = now + self.welcome.lease_ms / 3000
            self.renew(now)
        for attempt in [each for each in self.attempts.values() if each.result is None]:
            if now > attempt.void_at:
                say("stopped by itself")
                del self.attempts[attempt.lease.instance_id]
            elif attempt.input is not None and now > attempt.began + attempt.run_s:
                self.end(attempt, output=self.payload(attempt.input.upper(), self.inline_bytes_max(attempt.offer)))

    def on_offer(self, _number, offer):  # "An offer is the grant"
        here = self.attempts.get(offer.lease.instance_id)
        if here and offer.lease.fencing_token <= here.lease.fencing_token:
            return self.send_result(here)
        attempt = self.attempts[offer.lease.instance_id] = Attempt(offer)
        self.renew_at = 0  # "Renewal": that it runs is inferred from its first one
        say("offer", attempt=offer.attempt, image_kept=offer.image.sha256 in self.images)
        if offer.image.sha256 in self.images:
            return self.has_image(attempt, b"kept")
        self.fetch(offer.image, lambda image: self.has_image(attempt, image))

    def has_image(self, attempt, image):
        if image is None:
            return self.end(attempt, failure=pb.Failure(code="image_unavailable"))
        self.images.add(attempt.offer.image.sha256)
        self.read(attempt.offer.input, lambda data: self.has_input(attempt, data))

    def has_input(self, attempt, data):
        attempt.input = data
        if data is None:
            self.end(attempt, failure=pb.Failure(code="input_unavailable"))

    def inline_bytes_max(self, offer):
        return offer.limits.inline_bytes if offer.limits.HasField("inline_bytes") else self.welcome.inline_bytes_max

    def end(self, attempt, **outcome):  # "Result"
        wall_ms = int(1000 * (time.monotonic() - attempt.began))
        used = pb.Used(cpu_ms=wall_ms // 2, wall_ms=wall_ms, memory_peak_mib=16)
        attempt.result = pb.Result(lease=attempt.lease, used=used, **outcome)
        self.send_result(attempt)

    def send_result(self, attempt):
        if attempt.result and self.attempts.get(attempt.lease.instance_id) is attempt:
            self.send(result=attempt.result)

    def on_result_ack(self, _number, ack):
        if self.deaf and ack.accepted:  # Once, as if the answer had been lost with its connection.
            self.deaf = False
            return self.tear()
        say("result_ack", accepted=ack.accepted, reason=ack.reason)
        self.attempts.pop(ack.lease.instance_id, None)

    def renew(self, now):  # "Renewal"
        leases = [attempt.lease for attempt in self.attempts.values()]
        number = self.send(renewal=pb.Renewal(held=[pb.Renewal.Held(lease=lease) for lease in leases]))
        self.renewals[number] = (now, leases)

    def on_renewed(self, number, renewed):
        sent_at, asked = self.renewals.pop(number)
        for attempt in [each for each in self.attempts.values() if each.lease in asked]:
            attempt.void_at = sent_at + 0.8 * renewed.lease_ms / 1000
            if attempt.lease not in renewed.held and attempt.result is None:
                del self.attempts[attempt.lease.instance_id]
        say("renewed", held=len(renewed.held))
        if not self.torn:  # Once, in the middle of a run.
            self.torn = True
            self.tear()

    def on_revoke(self, _number, revoke):  # "Revoke"
        say("revoke", reason=revoke.reason)
        attempt = self.attempts.get(revoke.lease.instance_id)
        if attempt and attempt.lease == revoke.lease and attempt.result is None:
            self.end(attempt, failure=pb.Failure(code="revoked"))


if __name__ == "__main__":
    host, port, vehicle, token = sys.argv[1:]
    Donor((host, int(port)), vehicle, token).run()
