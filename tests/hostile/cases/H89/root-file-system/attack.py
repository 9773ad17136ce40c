for path in ("/usr/bin/planted", "/etc/planted", "/planted", "/var/tmp/planted"):
    print(f"{path}:", attempt(lambda: open(path, "w").close()))
