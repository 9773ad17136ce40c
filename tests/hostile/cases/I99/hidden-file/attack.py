import os, time
os.makedirs(".git", exist_ok=True)
handles = []
for number in range(4):
    handles.append(os.open(".git/hidden", os.O_CREAT | os.O_RDWR))
    os.unlink(".git/hidden")
    for _ in range(40):
        os.write(handles[-1], bytes(1 << 20))
print("hidden-file:", sum(os.fstat(each).st_blocks for each in handles) * 512 >> 20, "MiB,", os.listdir(".git").count("hidden"), "files", flush=True)
if os.environ["LEG"] == "policy":
    time.sleep(60)
