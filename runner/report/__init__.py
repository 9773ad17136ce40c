"""Results as text: pure functions from what happened to what a person or a program reads."""
