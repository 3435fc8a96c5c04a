"""One message to one person by e-mail."""

from __future__ import annotations

import hashlib
import smtplib
import ssl
from collections.abc import Mapping
from email.message import EmailMessage

from everfit.alert.outward import cut_after
from everfit.alert.targets import Mail, secret
from everfit.errors import Unreachable


def letter(
    target: Mail, to: str, subject: str, texts: tuple[str, str], ids: tuple[str, str]
) -> EmailMessage:
    """The mail: plain text and the same as simple HTML.

    Parameters
    ----------
    texts : plain, HTML
    ids : of the message, and of the first message of its alert, under which mail programs keep
        the others
    """
    mail = EmailMessage()
    mail["Subject"] = " ".join(subject.split())[:200]
    mail["From"], mail["To"] = target.sender, to
    domain = target.sender.rpartition("@")[2]
    identity, first = (f"<{_short(one)}@{domain}>" for one in ids)
    mail["Message-ID"] = identity
    if first != identity:
        mail["In-Reply-To"] = mail["References"] = first
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers to it
    mail.set_content(texts[0])
    mail.add_alternative(texts[1], subtype="html")
    return mail


def send(target: Mail, mail: EmailMessage, environ: Mapping[str, str] | None = None) -> str:
    """Hand ``mail`` to the server; gives what is told about it.

    Raises
    ------
    SettingsError : the password's variable is not set
    Unreachable : no server, wrong certificate or password, or the server does not take it
    """
    password = secret(target.password_env, environ)
    context = ssl.create_default_context()
    try:
        if target.security == "ssl":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                target.host, target.port, timeout=target.timeout_s, context=context
            )
        else:
            server = smtplib.SMTP(target.host, target.port, timeout=target.timeout_s)
        with server, cut_after(target.timeout_s, lambda: server.sock):
            if target.security == "starttls":
                server.starttls(context=context)
            if target.user:
                server.login(target.user, password)
            server.send_message(mail)
    except ssl.SSLCertVerificationError as error:
        raise Unreachable(
            f"the certificate of {target.host} is not valid", got=error.verify_message
        ) from error
    except smtplib.SMTPResponseException as error:
        said = error.smtp_error
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise Unreachable(
            f"{target.host} did not take the mail", got=f"{error.smtp_code} {text}"[:200]
        ) from error
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()))
        raise Unreachable(
            f"{target.host} does not know the address",
            got=f"{code} {said.decode('utf-8', 'replace')}"[:200],
        ) from error
    except OSError as error:  # of which those of smtplib are
        named = isinstance(error, smtplib.SMTPException) and str(error)
        got = str(error)[:200] if named else type(error).__name__
        raise Unreachable(f"{target.host} could not be reached", got=got) from error
    return "the mail server took it"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
