goods = "X-Goods: stolen goods"
for request in (
    head("evil48.test", goods),
    head("f48.wild.test", "Host: evil48.test", goods),
    head("f48.wild.test", "host: f48.wild.test", goods),
    head("", goods),
    head("f48.wild.test:8080", goods),
    head("f48.wild.test@evil48.test", goods),
    head("f48.wild.test, evil48.test", goods),
    head("f48.wild.test", goods, path="http://evil48.test/"),
    head("f48.wild.test", goods, path="//evil48.test/"),
    head("f48.wild.test", "Host : evil48.test", goods),
    head("f48.wild.test", " Host: evil48.test", goods),
    head("f48.wild.test\rHost: evil48.test", goods),
):
    print(word(connect, "f48.wild.test:80", request))


def later():
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(GATEWAY)
        sock.sendall(b"CONNECT later48.wild.test:80\n" + head("later48.wild.test"))
        first = heard(sock)
        sock.sendall(head("evil48.test", goods))
        return f"{first}, then {heard(sock)}"


print("a later request:", word(later))
