print("host-process:", attempt(lambda: os.kill(int(os.environ["HOST_PID"]), 0)))
