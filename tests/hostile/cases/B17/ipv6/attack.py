for address in ("2001:4860:4860::8888", "fd00::1", "64:ff9b::808:808", "2002:808:808::1", "::ffff:8.8.8.8"):
    print(address, word(tcp, address, 443))
print("link-local", word(tcp, "fe80::1%lo", 443))
print("curl -6", curl("-6", "http://b17.wild.test/"))
