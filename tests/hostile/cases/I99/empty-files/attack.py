import os, time
for folder in range(15):
    os.mkdir(f"many{folder}")
    for number in range(1000):
        os.close(os.open(f"many{folder}/{number}", os.O_CREAT | os.O_WRONLY))
print("empty-files: all of them", flush=True)
if os.environ["LEG"] == "policy":
    time.sleep(60)
