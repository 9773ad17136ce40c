for path in ("/paddock/shim.py", "/paddock/control/planted", "/etc/passwd"):
    print(f"{path}:", attempt(lambda: open(path, "a").close()))
