def speak():
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(2)
        control.connect("/paddock/control/launch.sock")
        for line in (b"go\n", b"{}\n", b"\xff" * 100_000 + b"\n"):
            control.sendall(line)
        return control.recv(16)


try:
    print("answer:", speak())
except OSError as error:
    print("answer:", type(error).__name__)
