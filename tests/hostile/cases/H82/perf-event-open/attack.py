print("perf-event-open:", reach(298, b"\x01\0\0\0\x80\0\0\0" + b"\0" * 120, 0, -1, -1, 0))
