rm "$SECRET"
mkfifo -m 600 "$SECRET"
