found = {word(tcp, address, port) for address in json.loads(os.environ["HOST_ADDRESSES"]) for port in (22, 443)}
print("directly:", *sorted(found))
print("own public address:", word(connect, "own25.inside.test:80"))
print("bridge:", word(connect, "bridge25.inside.test:80"), word(tcp, "172.17.0.1", 80))
