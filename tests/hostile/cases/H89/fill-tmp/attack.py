def fill():
    with open("/tmp/filler", "wb") as file:
        os.posix_fallocate(file.fileno(), 0, 300 * 1024 * 1024)


print("300 MiB:", attempt(fill))
print("planted")
