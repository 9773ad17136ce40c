"""The agents that Paddock knows: one file each, and one table."""
