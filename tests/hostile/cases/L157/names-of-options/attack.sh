work
printf '(echo option >>"%s") 2>/dev/null\nexec git-upload-pack .\n' "$CANARY" >option
git add option && git commit -qm option
head=$(git rev-parse HEAD)
for name in '--upload-pack=sh${IFS}option' '-x' '--exec=true' '@' 'HEAD'; do echo "$head" >".git/refs/heads/$name"; done
echo planted
