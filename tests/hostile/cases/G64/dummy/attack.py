dummy = head("other.test", "X-Api-Key: dummy", "Authorization: Bearer dummy", path="/echo")
print("at another server:", echoed("other.test", dummy))
print("at the injector's own door:", word(gateway, b"KEY api.test\n"), word(gateway, b"CONNECT other.test:80 dummy\n"))
doors = [place for place in ("/paddock/control", "/run", "/tmp") for name in os.listdir(place) if "inject" in name]
print("other doors:", " ".join(doors) or "nothing")
