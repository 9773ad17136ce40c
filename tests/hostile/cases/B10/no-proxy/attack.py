print("variables:", sum("proxy" in name.lower() for name in os.environ))
print("without:", curl("http://evil10.test/", NO_PROXY="*", ALL_PROXY="", http_proxy=""))
print("another:", curl("-x", "http://198.41.0.4:8080", "http://evil10.test/"))
