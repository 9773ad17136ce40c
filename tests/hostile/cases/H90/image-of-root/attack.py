print("ids:", os.getuid(), os.geteuid(), os.getgid())
print("groups:", os.getgroups())
print("become root:", attempt(lambda: os.setuid(0)))
print("planted")
