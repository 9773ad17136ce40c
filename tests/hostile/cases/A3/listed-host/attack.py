print("http:", word(http, "allowed.test", head("allowed.test")))
print("tls:", word(tcp, "allowed.test", 443, hello("allowed.test")))
print("curl:", curl("http://allowed.test/"))
print("through the gateway:", word(connect, "allowed.test:80", head("allowed.test")))
