"""A mailer that keeps mails in memory, for tests of what sends them."""

from infrastructure.outside.mail import Mail


class MemoryMailer:
    """Keeps each mail that is sent. `failures` are raised first, one a call; `failing` are addresses for which the
    error is always raised."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []
        self.failures: list[Exception] = []
        self.failing: dict[str, Exception] = {}
        self.calls = 0

    async def send(self, mail: Mail) -> None:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        if mail.to in self.failing:
            raise self.failing[mail.to]
        self.sent.append(mail)
