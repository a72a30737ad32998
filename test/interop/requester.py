"""A vehicle that asks, from docs/protocol.md alone. requester.py HOST PORT VEHICLE TOKEN ID ALGORITHM BYTES [cancel | tear]"""

import sys
import time

from pile_link import PileLink, say
from plugpool.v1 import plugpool_pb2 as pb

LAST_WORDS_S = 0.1


class Requester(PileLink):
    def __init__(self, address, vehicle, token, request_id, algorithm, data, then):
        super().__init__(address, vehicle, "ask-1", token)
        self.request_id, self.algorithm, self.data, self.then = request_id, algorithm, data, then
        self.answered, self.leave_at = False, None

    def hello(self):
        return pb.Hello(client_version="1.0")

    def welcomed(self):  # "Request": sent again after a lost connection where it was not answered
        if self.answered:
            return
        payload = self.payload(self.data, self.welcome.inline_bytes_max)
        request = pb.TaskRequest(request_id=self.request_id, algorithm_id=self.algorithm, input=payload)
        self.send(request=request)

    def on_accepted(self, _number, accepted):
        say("accepted", task=accepted.task_id)
        self.answered = self.then != "tear"  # As if the answer had been lost with the connection.
        if self.then == "tear":
            self.tear()
        elif self.then == "cancel":  # "Cancel": answered by the delivery
            self.send(cancel=pb.Cancel(request_id=self.request_id))
        self.then = None

    def on_refused(self, number, refused):
        super().on_refused(number, refused)
        self.leave_at = time.monotonic() + LAST_WORDS_S

    def on_delivery(self, _number, delivery):  # "Delivery": acknowledged once the output is here
        self.read(delivery.output, lambda output: self.store(delivery, output))

    def store(self, delivery, output):
        state = pb.TaskState.Name(delivery.state)
        say("delivery", state=state, code=delivery.failure.code, capitals=output == self.data.upper(), donor=delivery.donor)
        self.send(delivery_ack=pb.DeliveryAck(task_id=delivery.task_id))
        self.leave_at = time.monotonic() + LAST_WORDS_S

    def tick(self):
        self.done = self.leave_at is not None and time.monotonic() > self.leave_at


if __name__ == "__main__":
    host, port, vehicle, token, request_id, algorithm, size, *then = sys.argv[1:]
    text = (b"north by northwest " * (int(size) // 19 + 1))[: int(size)]
    Requester((host, int(port)), vehicle, token, request_id, algorithm, text, *(then or [None])).run()
