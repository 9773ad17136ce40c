import os
handle = os.open("/tmp/sparse", os.O_CREAT | os.O_RDWR)
print("sparse:", attempt(lambda: os.truncate(handle, 1 << 40)))
os.unlink("/tmp/sparse")
os.close(handle)
