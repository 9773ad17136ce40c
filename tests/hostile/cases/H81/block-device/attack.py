print("block-device:", attempt(lambda: os.mknod("/tmp/disk", 0o60600, os.makedev(254, 0))))
