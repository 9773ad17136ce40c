work
deep=.git/refs/tags/$(printf 'd/%.0s' $(seq 80))
mkdir -p "$deep"
git rev-parse HEAD~1 >"$deep/x"
echo planted
