"""Mail: the port, the adapter for SMTP, and the texts."""

from infrastructure.outside.mail.port import InvalidMail, Mail, Mailer, MailRefused

__all__ = ["InvalidMail", "Mail", "MailRefused", "Mailer"]
