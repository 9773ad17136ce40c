who='A <a@example.com> 1 +0000'
tree=$(git rev-parse 'HEAD^{tree}')
printf 'tree %s\nparent %s\nauthor %s\ncommitter %s\n\nodd\0hidden\n' "$tree" "$START" "$who" 'A <a@example.com> 1 +0000' |
    git hash-object -t commit -w --stdin --literally >.git/refs/heads/main
echo planted
