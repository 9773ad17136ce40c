import os
os.close(os.open("/tmp/foreign", os.O_CREAT | os.O_RDWR))
print("chown:", attempt(lambda: os.chown("/tmp/foreign", 4242, 4242)), attempt(lambda: os.chown("/tmp/foreign", -1, 0)))
os.unlink("/tmp/foreign")
