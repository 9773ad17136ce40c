tree=$(git rev-parse 'HEAD^{tree}')
who="Agent <agent@paddock.invalid> $(date +%s) +0000"
printf 'tree %s\nparent %s\nauthor %s\ncommitter %s\nencoding UTF-7\n\n+AGgAaQBkAGQAZQBu-\n' "$tree" "$START" "$who" "$who" |
    git hash-object -t commit -w --stdin >.git/refs/heads/main
echo planted
