"""The library: `from runner import Task, batch, run` carries tasks out; what happens comes as an iterator of events.

It reads settings, variables and trust as the command line does, and the commands carry tasks out with it. Nothing
happens before a scope is entered, and when it is left the work is over: collected, reported, cleared away.
"""
