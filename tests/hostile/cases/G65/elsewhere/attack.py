def away(place):
    done = subprocess.run(["curl", "-sSL", "-m", "4", "-H", "X-Mine: 1", f"http://g65.test/away?{place}"], capture_output=True)
    return spelled(done.stdout) if done.stdout else f"curl {done.returncode}"


print("redirected to a listed server:", away("other.test/echo"))
print("redirected to another one:", away("evil65.test/echo"))
for port in (443, 8080, 8443):
    print(f"port {port}:", word(connect, f"g65.test:{port}", head("g65.test")))
print("in the clear:", echoed("plain65.test", head("plain65.test", path="/echo")))
