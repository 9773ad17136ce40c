"""The only way out of a sandbox: rules, and the gateway that decides, dials and records."""
