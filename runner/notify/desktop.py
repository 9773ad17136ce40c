"""The desktop's own notifications, by notify-send."""

from __future__ import annotations

from html import escape

from runner.model.notification import Notification
from runner.notify.programs import tell_program

URGENCY = {True: "critical", False: "normal"}


def tell_desktop(message: Notification, seconds: float) -> str:
    """Show title and text; what went wrong, or nothing. The text is no markup, and no option of the program's."""
    urgency = f"--urgency={URGENCY[message.failed > 0]}"
    words = (message.title, escape(message.text, quote=False))
    return tell_program(("notify-send", "--app-name=Paddock", urgency, "--", *words), b"", seconds)
