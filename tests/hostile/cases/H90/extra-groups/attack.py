print("extra groups:", sorted(set(os.getgroups()) - {os.getgid()}))
