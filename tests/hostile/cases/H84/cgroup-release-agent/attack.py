found = [f"{folder}/release_agent" for folder, _, files in os.walk("/sys/fs/cgroup") if "release_agent" in files]
print("cgroup-release-agent:", attempt(lambda: os.close(os.open(found[0], os.O_WRONLY))) if found else "none to be seen")
