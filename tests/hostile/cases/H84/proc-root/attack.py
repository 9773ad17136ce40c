path = "/proc/" + os.environ["HOST_PID"] + "/root" + os.environ["PRIVATE"] + "/secret.txt"
print("private text:", attempt(lambda: open(path).close()))
