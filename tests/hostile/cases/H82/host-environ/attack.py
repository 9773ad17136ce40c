def read():
    text = open(f"/proc/{os.environ['HOST_PID']}/environ").read()
    if not text.startswith("HOST_SECRET="):
        raise FileNotFoundError(errno.ENOENT, "another process")


print("host-environ:", attempt(read))
