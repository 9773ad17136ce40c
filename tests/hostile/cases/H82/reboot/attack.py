print("reboot:", reach(169, 0, 0, 0, 0))
