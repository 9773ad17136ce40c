for words in (["-v"], ["--trace-ascii", "-"], ["--trace", "-"], ["-D", "-"]):
    done = subprocess.run(["curl", "-m", "4", *words, "http://g77.test/echo/headers"], capture_output=True)
    print(words[0], spelled(done.stdout + done.stderr))
