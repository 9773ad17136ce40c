path = os.environ["USER_REPO"] + "/.git/hooks/pre-commit"
print("hook:", attempt(lambda: open(path, "w").close()))
