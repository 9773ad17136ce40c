import ctypes, errno, json, os, socket, sys, time

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
