for name in ("host.docker.internal", "gateway.docker.internal", "host.containers.internal", "docker.for.mac.localhost", "printer.local", "localhost"):
    print(name, dns(name), word(connect, f"{name}:80"))
