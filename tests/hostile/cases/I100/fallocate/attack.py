import os
handle = os.open("/tmp/reserved", os.O_CREAT | os.O_RDWR)
print("fallocate:", syscall(285, handle, 0, 0, 1 << 20), syscall(285, handle, 1, 0, 1 << 20), syscall(285, handle, 16, 0, 1 << 20))
os.unlink("/tmp/reserved")
os.close(handle)
