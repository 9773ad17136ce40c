chmod 640 "$SECRET"
