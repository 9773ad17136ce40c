print("kexec-load:", reach(246, 0, 99, 0, 1))
