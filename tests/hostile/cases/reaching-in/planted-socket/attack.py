FOLDER = "/paddock/control"
NAME = f"{FOLDER}/forward-0123456789abcdef.sock"


def bind():
    with socket.socket(socket.AF_UNIX) as planted:
        planted.bind(NAME)


def tried(action):
    return "ok" if attempt(action) == "ok" else "refused"


print("a socket:", tried(bind))
print("a link:", tried(lambda: os.symlink("/workspace", f"{FOLDER}/forward-link.sock")))
print("the folder moved away:", tried(lambda: os.rename(FOLDER, "/paddock/away")))
print("a link in its place:", tried(lambda: os.symlink("/workspace", FOLDER)))
