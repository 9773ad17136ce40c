for port in (443, 853):
    print(port, word(tcp, "1.1.1.1", port, hello("dns22.test")), word(tcp, "dns22.test", port), word(connect, f"dns22.test:{port}"))
print("allowed name, port 853:", word(connect, "allowed22.wild.test:853", hello("dns22.test")))
print("allowed name, another inside:", word(connect, "allowed22.wild.test:443", hello("dns22.test")))
