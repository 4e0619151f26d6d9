"""A client of usher.v1 for tests: JSON in, JSON out, nothing hidden."""
import base64
import itertools

from harness.client import Client, Closed


class V1Client(Client):
    """An open connection to /ws.

    token     goes into the Authorization header, so that welcome comes first
    offered   subprotocols; by default usher.v1
    carried   a credential for the subprotocol usher.auth.<base64url>
    """

    def __init__(self, usherd, token=None, offered=("usher.v1",),
                 carried=None, query="", headers=(), **how):
        self.numbers = itertools.count(1)
        headers = list(headers)
        offered = list(offered)
        if token is not None:
            headers.append(("Authorization", f"Token {token}"))
        if carried is not None:
            encoded = base64.urlsafe_b64encode(carried.encode()).decode()
            offered.append("usher.auth." + encoded.rstrip("="))
        super().__init__(f"ws://127.0.0.1:{usherd.port}/ws{query}", headers,
                         subprotocols=offered or None, **how)
        self.welcome = None
        if token is not None or carried is not None or query:
            self.welcome = self.expect("welcome")

    def say(self, type, **members):
        self.send_json({"type": type, **members})

    def expect(self, type, **members):
        """The next message, which must be of that type with these members."""
        message = self.receive_json()
        assert message["type"] == type, message
        for name, value in members.items():
            assert message.get(name) == value, message
        return message

    def ask(self, type, **members):
        """Say something with a new id; returns the answer, which is next."""
        number = next(self.numbers)
        self.say(type, id=number, **members)
        answer = self.receive_json()
        assert answer.get("id") == number, answer
        return answer

    def auth(self, token=None):
        self.welcome = self.ask("auth", token=token)
        return self.welcome

    def subscribe(self, group, **members):
        answer = self.ask("subscribe", group=group, **members)
        assert answer["type"] == "subscribed", answer
        assert answer["group"] == group
        return answer

    def refused(self, code, reason, type, **members):
        """Say something that is answered by this error; returns that."""
        answer = self.ask(type, **members)
        assert answer["type"] == "error", answer
        assert (answer["code"], answer["reason"]) == (code, reason), answer
        assert answer["detail"]
        return answer

    def alive(self):
        """Nothing else came, and the connection goes on."""
        assert self.ask("ping")["type"] == "ok"

    def until_close(self):
        """What comes up to the close frame, and that."""
        messages = []
        while True:
            try:
                messages.append(self.receive_json())
            except Closed as close:
                return messages, close

    def expect_close(self, code, reason):
        """A close message and then the frame, of the same code and reason."""
        messages, close = self.until_close()
        assert (close.code, close.reason) == (code, reason), (messages, close)
        assert messages[-1]["type"] == "close", messages
        assert (messages[-1]["code"], messages[-1]["reason"]) == (code, reason)
        return messages
