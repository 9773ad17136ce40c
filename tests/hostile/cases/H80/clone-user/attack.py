def clone():
    # A child that exits at once; the flags are CLONE_NEWUSER and SIGCHLD.
    ctypes.set_errno(0)
    child = _libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    return name_of(ctypes.get_errno()) if child < 0 else "ok"


print("clone-user:", clone())
