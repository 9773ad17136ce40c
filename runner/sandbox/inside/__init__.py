"""The programs of a sandbox's first process: mounted as a folder, alone with the standard library of any image."""
