"""Tells a person that something is over: on the desktop, by a webhook, by a command; never for longer than allowed."""
