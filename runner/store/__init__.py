"""Files on disk: policies read, runs and results written."""
