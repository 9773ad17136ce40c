import fcntl, os, struct
handle = os.open("/tmp/reserved", os.O_CREAT | os.O_RDWR)
wanted = struct.pack("hhqqiI4i", 0, 0, 0, 1 << 20, 0, 0, 0, 0, 0, 0)
print("reserve-by-ioctl:", *(attempt(lambda: fcntl.ioctl(handle, call, wanted)) for call in (0x40305828, 0x4030582A)))
os.unlink("/tmp/reserved")
os.close(handle)
