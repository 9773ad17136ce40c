path = "/proc/1/root" + os.environ["PRIVATE"] + "/secret.txt"
print("private text:", attempt(lambda: open(path).close()))
