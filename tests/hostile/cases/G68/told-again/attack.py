for form in ("", "/headers", "/status", "/chunks", "/base64", "/url-base64", "/hex", "/percent"):
    print(f"{form or '/'}:", echoed("g68.test", head("g68.test", path=f"/echo{form}")))
