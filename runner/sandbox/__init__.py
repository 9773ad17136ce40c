"""The world of containers: everything that knows Docker is in this folder."""
