print("by name:", word(tcp, "forge14.test", 22, b"SSH-2.0-x\r\n"))
print("by address:", word(tcp, "198.41.0.4", 22, b"SSH-2.0-x\r\n"))
print("through the gateway:", word(connect, "forge14.test:22", b"SSH-2.0-x\r\n"))
print("over an allowed 443:", word(connect, "b14.wild.test:443", b"SSH-2.0-x\r\n"))
