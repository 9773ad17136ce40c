"""Inert data: frozen, closed, readable as a glossary. Nothing here reads, writes or asks the time."""
