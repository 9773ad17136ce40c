blob=$(git rev-parse HEAD:file)
echo "$blob" >.git/refs/heads/main
echo planted
