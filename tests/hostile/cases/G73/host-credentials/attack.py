secret = os.environ["PRIVATE"] + "/secret.txt"
climb = "/workspace" + "/.." * 12 + secret
link = "/tmp/link"
os.symlink(secret, link)
places = {"direct": secret, "from the root": "/proc/self/root" + secret, "of the first process": "/proc/1/root" + secret}
places |= {"upwards": climb, "slashes": "//" + secret.replace("/", "//"), "link": link, "bytes": os.fsencode(secret)}
for name, place in places.items():
    print(f"{name}:", attempt(lambda: open(place).close()))
os.unlink(link)
