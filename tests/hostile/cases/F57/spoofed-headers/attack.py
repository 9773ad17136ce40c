names = "Forwarded X-Forwarded-For X-Forwarded-Host X-Real-IP X-Original-URL X-Rewrite-URL Proxy-Authorization proxy-connection".split()
spoofs = [f"{name}: stolen goods" for name in names]
print(word(connect, "f57.wild.test:80", head("f57.wild.test", *spoofs)))
