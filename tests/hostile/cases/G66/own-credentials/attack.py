names = "Authorization Proxy-Authorization X-Api-Key x-api-key X_Api_Key Api-Key Cookie Cookie2 X-Auth-Token X-Amz-Security-Token"
names += " X-Goog-Api-Key Private-Token X-Forwarded-For Forwarded X-Forwarded-Host Dpop X-Access-Token Client-Secret"
headers = [f"{name}: stolen goods" for name in names.split()]
print("his own:", word(tcp, "g66.test", 80, head("g66.test", *headers)))
print("beside ours:", echoed("g66.test", head("g66.test", *headers, path="/echo")))
