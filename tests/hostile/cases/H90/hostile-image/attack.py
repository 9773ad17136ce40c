print("preloaded:", os.environ.get("LD_PRELOAD", "nothing"))
print("python path:", os.environ.get("PYTHONPATH", "nothing"))
print("first argument:", open("/proc/1/cmdline").read().split("\0")[0])
print("planted")
