"""One run, from task to result: decide, prepare, supervise, collect, report."""
