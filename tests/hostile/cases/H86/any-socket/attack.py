found = []
for folder, folders, files in os.walk("/"):
    folders[:] = [name for name in folders if f"{folder}/{name}".replace("//", "/") not in ("/proc", "/sys")]
    for name in files:
        path = os.path.join(folder, name)
        try:
            if (os.lstat(path).st_mode & 0o170000) == 0o140000:
                found.append(path)
        except OSError:
            pass
print("sockets:", " ".join(sorted(found)))
