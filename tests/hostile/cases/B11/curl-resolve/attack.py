print("resolve:", curl("--resolve", "evil11.test:80:198.41.0.4", "http://evil11.test/"))
print("noproxy:", curl("--noproxy", "*", "http://evil11.test/"))
print("through an allowed name:", curl("--connect-to", "evil11.test:80:b11.wild.test:80", "http://evil11.test/"))
