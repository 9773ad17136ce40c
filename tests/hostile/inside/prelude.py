import ctypes, errno, hashlib, json, os, socket, struct, subprocess, sys, time, zlib

_libc = ctypes.CDLL(None, use_errno=True)


def name_of(number):
    return errno.errorcode.get(number, str(number))


def syscall(number, *arguments):
    """The raw result of a system call, or the name of its error. Numbers are x86-64's."""
    ctypes.set_errno(0)
    packed = [ctypes.c_char_p(a) if isinstance(a, bytes) else ctypes.c_long(a) for a in arguments]
    result = _libc.syscall(ctypes.c_long(number), *packed)
    return name_of(ctypes.get_errno()) if result < 0 else "ok"


def reach(number, *arguments):
    """Whether a call is stopped on its way; what the kernel then says of it differs from machine to machine."""
    return "stopped" if syscall(number, *arguments) == "EPERM" else "reached the kernel"


def attempt(action):
    """`ok`, or the name of the error."""
    try:
        action()
    except OSError as error:
        return name_of(error.errno) if error.errno else type(error).__name__
    return "ok"


def store(kind, data):
    """A loose object that no git has checked; its id."""
    data = b"%s %d\0" % (kind, len(data)) + data
    name = hashlib.sha1(data).hexdigest()
    os.makedirs(f".git/objects/{name[:2]}", exist_ok=True)
    with open(f".git/objects/{name[:2]}/{name[2:]}", "wb") as file:
        file.write(zlib.compress(data, 1))
    return name


def commit(tree, message, *, headers=b""):
    """A commit of that tree on main."""
    head = subprocess.check_output(["git", "rev-parse", "HEAD"])
    who = b"Agent <agent@example.com> %d +0000" % time.time()
    data = b"tree %s\nparent %sauthor %s\ncommitter %s\n%s\n%s\n" % (tree.encode(), head, who, who, headers, message)
    with open(".git/refs/heads/main", "w") as ref:
        ref.write(store(b"commit", data) + "\n")


def entry(mode, name, sha):
    """An entry of a tree."""
    return b"%s %s\0" % (mode, name) + bytes.fromhex(sha)
